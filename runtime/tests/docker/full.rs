//! An engine whose disk is full: a second one, on a small disk of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt as _;
use steading_core::fault::Fault as _;
use steading_core::image::ImageRef;
use steading_core::runtime::{BuildRequest, Runtime as _};
use steading_runtime::conformance::{Fixture, Lines, archive, words};
use steading_runtime::docker::Docker;

use crate::world::World;

/// Large enough for an engine and a small image.
const SIZE: &str = "size=96m,mode=711";
const IMAGE: &str = "steading.test/musl:latest";

struct Engine {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Engine {
    /// `None`, and a word about it, where none can be started.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let small = folder.path().join("small");
        std::fs::create_dir(&small).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&small).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: no disk can be mounted here");
            return None;
        }
        let mut engine = Self { folder, process: None };
        let at = |name: &str| engine.folder.path().join(name);
        // Another engine's bridge has the same name, so it has network interfaces of its own.
        let mut command = Command::new("unshare");
        command.args(["--net", "dockerd"]);
        command.arg("--host").arg(engine.address()).arg("--data-root").arg(at("small/data"));
        command.arg("--exec-root").arg(at("run")).arg("--pidfile").arg(at("pid"));
        command.args(["--iptables=false", "--ip-forward=false", "--ip-masq=false"]);
        let log = std::fs::File::create(at("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        match command.spawn() {
            Ok(process) => engine.process = Some(process),
            Err(error) => {
                eprintln!("SKIPPED: no second engine can be started: {error}");
                return None;
            }
        }
        for _ in 0..300 {
            if engine.docker(&["info"]).is_some() {
                let loaded = format!("docker save {IMAGE} | docker --host {} load", engine.address());
                let loaded = Command::new("sh").args(["-c", &loaded]).output().unwrap();
                assert!(loaded.status.success(), "{loaded:?}");
                return Some(engine);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("SKIPPED: a second engine does not start: {}", std::fs::read_to_string(at("log")).unwrap());
        None
    }

    fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    fn docker(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("docker").arg("--host").arg(self.address()).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Takes what is left of the disk.
    fn fill(&self) -> PathBuf {
        let path = self.folder.path().join("small/filler");
        let mut file = std::fs::File::create(&path).unwrap();
        assert!(std::io::copy(&mut std::io::repeat(7), &mut file).is_err());
        path
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
        let below = |path: &Path| path.starts_with(self.folder.path());
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        for point in points.into_iter().rev().filter(|point| below(Path::new(point))) {
            let _ = Command::new("umount").args(["--lazy", point]).status();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_room_says_so_and_goes_on_when_there_is_some() {
    let Some(world) = World::new().await else { return };
    if world.docker.inspect(&ImageRef::new(IMAGE)).await.unwrap().is_none() {
        eprintln!("SKIPPED: the image {IMAGE} is not there; run script/images");
        return;
    }
    let Some(engine) = Engine::start() else { return };
    let mut config = world.config.clone();
    config.runtime.docker_host = engine.address();
    config.runtime.isolate_host = false;
    let docker = Docker::new(&config, &world.installation).unwrap();
    let server = words(&["sleep", "1000"]);
    let spec = Fixture { image: ImageRef::new(IMAGE), server }.spec();
    docker.up(&spec).await.unwrap();

    // A file that goes onto a volume.
    let filler = engine.fill();
    let large = "x".repeat(1 << 20);
    let full = docker.upload(spec.workspace, "/workspaces", archive("large", &large, (0, 0)).unwrap()).await;
    let full = full.unwrap_err();
    assert_eq!(full.code(), "disk-full", "{full:?}");
    assert!(full.hint().unwrap().contains("docker system df"));
    std::fs::remove_file(filler).unwrap();
    docker.upload(spec.workspace, "/workspaces", archive("large", &large, (0, 0)).unwrap()).await.unwrap();

    // An instruction of a Dockerfile.
    let request = BuildRequest {
        tag: ImageRef::new(format!("steading-{}/build:1", world.installation)),
        dockerfile: "Dockerfile".to_owned(),
        target: None,
        args: std::collections::BTreeMap::new(),
        cache_from: Vec::new(),
        labels: std::collections::BTreeMap::new(),
    };
    let dockerfile = format!("FROM {IMAGE}\nRUN dd if=/dev/zero of=/large bs=1M count=200\n");
    let context = archive("Dockerfile", &dockerfile, (0, 0)).unwrap();
    let full = docker.build(&request, context.boxed(), &Lines::default()).await.unwrap_err();
    assert_eq!(full.code(), "disk-full", "{full:?}");

    // What the instruction wrote is the builder's until somebody says so.
    engine.docker(&["builder", "prune", "--all", "--force"]).unwrap();

    // A container.
    let filler = engine.fill();
    let second = Fixture { image: ImageRef::new(IMAGE), server: words(&["sleep", "1000"]) }.spec();
    let full = docker.up(&second).await.unwrap_err();
    assert_eq!(full.code(), "disk-full", "{full:?}");
    std::fs::remove_file(filler).unwrap();
    docker.up(&second).await.unwrap();
    docker.uninstall().await.unwrap();
}
