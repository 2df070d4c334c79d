//! A data folder whose disk is full while a repository is fetched.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::path::Path;
use std::process::Command;

use steading_core::runtime::RuntimeError;
use steading_core::{Desired, Phase};
use steading_runtime::fake::Op;
use world::World;

/// Mounts a small disk, until it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// `None`, and a word about it, where nobody may.
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(path)),
            other => {
                eprintln!("SKIPPED: no disk can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_repository_that_finds_no_room_is_told_of_and_fetched_later() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path(), "16m") else { return };
    let data = folder.path().join("data");
    let world = World::with(|config| config.server.data_dir = data).await;
    // Noise, so that packing does not make it small.
    let mut seed = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b' ' + u8::try_from((seed >> 33) % 94).unwrap())
    })
    .take(6 << 20)
    .collect();
    let repository = world.repository("large", &[("noise", &noise)]);
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![7; 12 << 20]).unwrap();

    let id = world.workspace(&repository).await;
    world.settle(id).await;
    let failed = world.load(id).await;
    assert_eq!(failed.phase, Phase::Failed, "{failed:#?}");
    let failure = failed.failure.unwrap();
    assert_eq!(failure.code, "disk-full", "{failure:?}");
    assert!(failure.hint.as_deref().unwrap_or_default().contains("space"), "{failure:?}");

    std::fs::remove_file(filler).unwrap();
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    world.settle(id).await;
    assert_eq!(world.load(id).await.phase, Phase::Running, "{:#?}", world.load(id).await.failure);
    assert!(world.fake.file(id, "/workspaces/large/noise").is_some_and(|file| file == noise), "it is not whole");
}

#[tokio::test]
async fn an_engine_without_room_is_told_of_and_asked_again() {
    for op in [Op::Pull, Op::Up, Op::Upload] {
        let world = World::new().await;
        let repository = world.configured("small", r#"{"image": "debian"}"#);
        // As often as the step is tried.
        for _ in 0..3 {
            world.fake.fail_next(op, RuntimeError::DiskFull("write /x: no space left on device".to_owned()));
        }
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        let failure = world.load(id).await.failure.unwrap();
        assert_eq!(failure.code, "disk-full", "{op:?}: {failure:?}");
        assert!(failure.hint.as_deref().unwrap_or_default().contains("Free space"), "{op:?}: {failure:?}");
        while world.load(id).await.phase != Phase::Running {
            world.store.workspaces().want(id, Desired::Running).await.unwrap();
            world.settle(id).await;
        }
    }
}
