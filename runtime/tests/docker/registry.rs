//! Pulls from a real registry: `docker-registry` of Debian, or the program that
//! `STEADING_TEST_REGISTRY` names.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions};
use futures::TryStreamExt as _;
use rand::Rng as _;
use steading_core::fault::{Class, Fault as _};
use steading_core::image::ImageRef;
use steading_core::runtime::Runtime as _;
use steading_runtime::conformance::Lines;

use crate::world::World;

/// A registry of this test's own. Engines take one on loopback without TLS.
struct Registry {
    child: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl Registry {
    async fn new() -> Option<Self> {
        let program = std::env::var("STEADING_TEST_REGISTRY").unwrap_or_else(|_| "docker-registry".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            folder.path().display()
        );
        let config = folder.path().join("config.yml");
        std::fs::write(&config, text).unwrap();
        let child =
            Command::new(&program).arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            eprintln!("SKIPPED: no {program} here");
            return None;
        };
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(&host).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(Self { child, host, _folder: folder })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a small image, pushes it and forgets it.
async fn publish(world: &World, name: &str) {
    let mut content = vec![0; 3 << 20];
    rand::rng().fill_bytes(&mut content);
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, "noise", content.as_slice()).unwrap();
    let archive = builder.into_inner().unwrap();
    let (repository, tag) = name.rsplit_once(':').unwrap();
    let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
    let import = world.engine.create_image(Some(options), Some(bollard::body_full(archive.into())), None);
    import.try_collect::<Vec<_>>().await.unwrap();
    let options = PushImageOptionsBuilder::new().tag(tag).build();
    world.engine.push_image(repository, Some(options), None).try_collect::<Vec<_>>().await.unwrap();
    world.engine.remove_image(name, None::<RemoveImageOptions>, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_with_its_progress() {
    let Some(world) = World::new().await else { return };
    let Some(registry) = Registry::new().await else { return };
    let name = format!("{}/steading/{}:1", registry.host, world.installation);
    publish(&world, &name).await;
    let image = ImageRef::new(name.clone());
    assert_eq!(world.docker.inspect(&image).await.unwrap(), None);
    let lines = Lines::default();
    let pulled = world.docker.pull(&image, &lines).await.unwrap();
    assert_eq!(world.docker.inspect(&image).await.unwrap(), Some(pulled));
    let told = lines.text();
    assert!(told.contains("pull: ") && told.contains("Pull complete"), "{told}");
    assert!(told.lines().count() < 60, "{told}");
    world.engine.remove_image(&name, None::<RemoveImageOptions>, None).await.unwrap();

    let absent = ImageRef::new(format!("{}/steading/{}:2", registry.host, world.installation));
    let error = world.docker.pull(&absent, &lines).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("image-pull-failed", Class::Permanent), "{error}");
}
