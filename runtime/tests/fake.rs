//! The promises of every runtime, on the one in memory; and what it adds for tests.

use std::time::Duration;

use futures::FutureExt as _;
use steading_core::image::ImageRef;
use steading_core::pod::VolumeRole;
use steading_core::runtime::{ContainerState, ImageInfo, Runtime as _, RuntimeError};
use steading_runtime::conformance::{self, Fixture};
use steading_runtime::fake::{Answer, Fake, Op};

fn fixture(fake: &Fake) -> Fixture {
    let image = ImageInfo {
        id: format!("sha256:{}", "12".repeat(32)),
        arch: if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }.to_owned(),
        ..ImageInfo::default()
    };
    fake.add_image("steading.test/fake:1", image);
    Fixture { image: ImageRef::new("steading.test/fake:1"), server: vec!["serve".to_owned()] }
}

#[tokio::test]
async fn the_fake_keeps_every_promise() {
    let fake = Fake::new();
    let broken = conformance::suite(&fake, &fixture(&fake)).await;
    assert!(broken.is_empty(), "{}", broken.iter().map(|b| format!("\n  {b}")).collect::<String>());
    assert!(fake.workspaces().is_empty(), "left behind: {:?}", fake.workspaces());
}

#[tokio::test]
async fn a_lost_volume_makes_the_next_up_start_anew() {
    let fake = Fake::new();
    let spec = fixture(&fake).spec();
    fake.up(&spec).await.unwrap();
    let first = fake.observe(spec.workspace).await.unwrap();
    fake.lose_volume(spec.workspace, VolumeRole::Workspace);
    fake.up(&spec).await.unwrap();
    let second = fake.observe(spec.workspace).await.unwrap();
    assert_ne!(first.volumes[&VolumeRole::Workspace], second.volumes[&VolumeRole::Workspace]);
    assert_eq!(first.volumes[&VolumeRole::State], second.volumes[&VolumeRole::State]);
    assert_ne!(first.instance, second.instance);
}

#[tokio::test]
async fn scripts_decide_what_happens() {
    let fake = Fake::new();
    let spec = fixture(&fake).spec();
    fake.fail_next(Op::Up, RuntimeError::DiskFull("scripted".to_owned()));
    assert!(matches!(fake.up(&spec).await, Err(RuntimeError::DiskFull(_))));
    fake.up(&spec).await.unwrap();
    assert_eq!(fake.calls(Op::Up), 2);

    fake.on_exec(|_, exec| (exec.command[0] == "inside").then(|| Answer::text("{}")));
    let exec = steading_core::runtime::Exec { command: vec!["inside".to_owned()], ..Default::default() };
    let process = fake.exec(spec.workspace, exec).await.unwrap();
    assert_eq!(process.control.exit_code().await.unwrap(), 0);

    fake.kill(spec.workspace);
    let seen = fake.observe(spec.workspace).await.unwrap();
    assert!(matches!(seen.main(), Some(ContainerState::Down { exit: Some(137), .. })));

    fake.prune_image(&spec.main.image);
    fake.lose_container(spec.workspace);
    assert!(matches!(fake.up(&spec).await, Err(RuntimeError::ImageGone(_))));
}

#[tokio::test]
async fn a_call_can_be_left_at_any_point() {
    let fake = Fake::new();
    let spec = fixture(&fake).spec();
    fake.on_point(|point| {
        if point.op == Op::Up && point.before == "start" {
            return futures::future::pending().boxed();
        }
        futures::future::ready(()).boxed()
    });
    let left = tokio::time::timeout(Duration::from_millis(20), fake.up(&spec)).await;
    assert!(left.is_err());
    let seen = fake.observe(spec.workspace).await.unwrap();
    assert!(matches!(seen.main(), Some(ContainerState::Down { finished_at: None, .. })), "{seen:?}");
    fake.unhook();
    fake.up(&spec).await.unwrap();
    assert!(fake.observe(spec.workspace).await.unwrap().is_up());
}

#[tokio::test]
async fn a_thousand_workspaces_are_cheap() {
    let fake = Fake::new();
    let fixture = fixture(&fake);
    let begun = std::time::Instant::now();
    for _ in 0..1000 {
        fake.up(&fixture.spec()).await.unwrap();
    }
    assert_eq!(fake.list().await.unwrap().len(), 1000);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
