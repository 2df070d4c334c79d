//! What an engine's other users do to our objects, and what we do then.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use steading_core::pod::{ContainerName, Mount, VolumeRole};
use steading_core::runtime::{ContainerState, Runtime as _, RuntimeError};
use steading_runtime::docker::Docker;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_was_lost_is_another_one() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    let first = world.docker.observe(trial.id()).await.unwrap();
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    let name = world.container(&trial.spec);
    world.engine.remove_container(&name, Some(force)).await.unwrap();
    world.engine.remove_volume(&format!("{name}-workspace"), None::<RemoveVolumeOptions>).await.unwrap();
    let gone = world.docker.observe(trial.id()).await.unwrap();
    assert!(gone.main().is_none() && !gone.volumes.contains_key(&VolumeRole::Workspace), "{gone:?}");
    world.docker.up(&trial.spec).await.unwrap();
    let second = world.docker.observe(trial.id()).await.unwrap();
    assert_ne!(first.volumes[&VolumeRole::Workspace], second.volumes[&VolumeRole::Workspace]);
    assert_eq!(first.volumes[&VolumeRole::State], second.volumes[&VolumeRole::State]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_made_and_never_started_is_started() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    // As a crash between the two calls leaves it: the start fails for want of the program.
    let mut spec = trial.spec.clone();
    spec.main.command = vec!["/no/such/program".to_owned()];
    spec.main.init = false;
    let refused = world.docker.up(&spec.clone().sealed()).await;
    assert!(matches!(&refused, Err(RuntimeError::Refused(text)) if text.contains("/no/such/program")), "{refused:?}");
    let seen = world.docker.observe(spec.workspace).await.unwrap();
    assert!(matches!(seen.main(), Some(ContainerState::Down { finished_at: None, exit: None, .. })), "{seen:?}");
    assert_eq!(seen.started_at, None);
    world.docker.up(&trial.spec).await.unwrap();
    assert!(world.docker.observe(spec.workspace).await.unwrap().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_else_has_is_left_alone() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    let name = world.container(&trial.spec);
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let body = ContainerCreateBody {
        image: Some(world.fixture.image.to_string()),
        cmd: Some(vec!["true".to_owned()]),
        ..ContainerCreateBody::default()
    };
    let foreign = world.engine.create_container(Some(options), body).await.unwrap().id;
    let refused = world.docker.up(&trial.spec).await;
    let there = world.engine.inspect_container(&foreign, None).await.is_ok();
    world.engine.remove_container(&foreign, None).await.unwrap();
    assert!(matches!(&refused, Err(RuntimeError::Refused(text)) if text.contains("not ours")), "{refused:?}");
    assert!(there, "somebody else's container was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_make_from_a_workspace_is_theirs() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    // An image of a workspace has all labels of its container, and so has whatever is made from it.
    let theirs = format!("somebodys-{}", world.installation);
    let commit = CommitContainerOptionsBuilder::new().container(&world.container(&trial.spec)).repo(&theirs).build();
    world.engine.commit_container(commit, ContainerConfig::default()).await.unwrap();
    let body = ContainerCreateBody {
        image: Some(theirs.clone()),
        cmd: Some(vec!["sleep".to_owned(), "1000".to_owned()]),
        ..ContainerCreateBody::default()
    };
    let foreign = world.engine.create_container(None, body).await.unwrap().id;
    world.engine.start_container(&foreign, None).await.unwrap();
    let seen = world.docker.observe(trial.id()).await.unwrap();
    let listed = world.docker.list().await.unwrap();
    world.docker.down(trial.id(), Duration::from_secs(1)).await.unwrap();
    world.docker.remove(trial.id()).await.unwrap();
    let gone = world.docker.observe(trial.id()).await.unwrap();
    world.docker.uninstall().await.unwrap();
    let left = world.engine.inspect_container(&foreign, None).await.unwrap();
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    world.engine.remove_container(&foreign, Some(force)).await.unwrap();
    world.drop_images(&theirs).await;
    let labels = left.config.unwrap().labels.unwrap();
    assert_eq!(labels["dev.steading/workspace"], trial.id().to_string(), "the test tests nothing");
    assert_ne!(seen.instance.as_ref().unwrap().0, foreign);
    assert_eq!(listed, [(trial.id(), seen)]);
    assert!(gone.is_absent(), "{gone:?}");
    assert_eq!(left.state.unwrap().running, Some(true), "somebody else's container was stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_pruned_is_made_again() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    let first = world.docker.observe(trial.id()).await.unwrap();
    world.docker.down(trial.id(), Duration::from_secs(2)).await.unwrap();
    world.engine.remove_network(&format!("steading-{}", world.installation)).await.unwrap();
    world.docker.up(&trial.spec).await.unwrap();
    let second = world.docker.observe(trial.id()).await.unwrap();
    assert!(second.is_up());
    assert_eq!(first.instance, second.instance, "what was in the container is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_one_installation() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    let other = Docker::new(&world.config, &world.installation).unwrap();
    world.docker.up(&trial.spec).await.unwrap();
    assert_eq!(trial.shell("echo here").await.unwrap().stdout, "here\n");
    // The other process replaces the container that this one has in mind.
    let mut spec = trial.spec.clone();
    spec.main.hostname = "replaced".to_owned();
    other.up(&spec.sealed()).await.unwrap();
    assert_eq!(trial.shell("hostname").await.unwrap().stdout, "replaced\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_replaced_may_end_what_it_does() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    let mut spec = trial.spec.clone();
    let script = "trap 'echo politely > /workspaces/end; exit 0' TERM; while :; do sleep 0.1; done";
    spec.main.command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    world.docker.up(&spec.sealed()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.docker.up(&trial.spec).await.unwrap();
    assert_eq!(trial.shell("cat /workspaces/end").await.unwrap().stdout, "politely\n");
}

/// Stands between us and the engine, and may put another request in place of one of ours.
fn meddle(socket: &Path, with: impl Fn(String) -> BoxFuture<'static, Option<String>> + Send + Sync + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    let with = Arc::new(with);
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let with = with.clone();
            tokio::spawn(async move {
                let far = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let ((mut from_us, mut to_us), (mut from_engine, mut to_engine)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut from_engine, &mut to_us).await });
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count @ 1..) = from_us.read(&mut buffer).await {
                    let other = with(String::from_utf8_lossy(&buffer[..count]).into_owned()).await;
                    let bytes = other.as_ref().map_or(&buffer[..count], |other| other.as_bytes());
                    if to_engine.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// An installation that asks the engine through somebody who meddles; the folder has the socket.
async fn meddled(
    with: impl Fn(String) -> BoxFuture<'static, Option<String>> + Send + Sync + 'static,
) -> Option<(World, tempfile::TempDir)> {
    if !Path::new("/var/run/docker.sock").exists() {
        eprintln!("SKIPPED: no Docker Engine at the usual socket");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let address = format!("unix://{}", socket.display());
    let world = World::with(|config| config.runtime.docker_host = address).await?;
    meddle(&socket, with);
    Some((world, folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_removed_before_its_start_is_made_again() {
    let done = Arc::new(AtomicBool::new(false));
    let remove_first = move |request: String| {
        let done = done.clone();
        async move {
            let line = request.lines().next().unwrap_or_default();
            let (_, rest) = line.split_once("/containers/")?;
            let (id, _) = rest.split_once("/start")?;
            if !done.swap(true, Ordering::Relaxed) {
                let engine = bollard::Docker::connect_with_local_defaults().unwrap();
                let force = RemoveContainerOptionsBuilder::new().force(true).build();
                engine.remove_container(id, Some(force)).await.unwrap();
            }
            None
        }
        .boxed()
    };
    let Some((world, _folder)) = meddled(remove_first).await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    assert!(world.docker.observe(trial.id()).await.unwrap().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_may_take_its_time() {
    let begun = Arc::new(OnceLock::new());
    // The engine refuses to remove what runs in the words in which it refuses what is being removed.
    let refuse_for_a_while = move |request: String| {
        let begun = begun.clone();
        async move {
            let is_removal = request.starts_with("DELETE ") && request.contains("/containers/");
            let refuse = is_removal && begun.get_or_init(Instant::now).elapsed() < Duration::from_secs(6);
            refuse.then(|| request.replacen("force=true", "force=false", 1))
        }
        .boxed()
    };
    let Some((world, _folder)) = meddled(refuse_for_a_while).await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    world.docker.remove(trial.id()).await.unwrap();
    assert!(world.docker.observe(trial.id()).await.unwrap().is_absent());
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_share_the_network_and_live_as_long() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    let mut spec = trial.spec.clone();
    let mut sidecar = spec.main.clone();
    sidecar.name = ContainerName("db".to_owned());
    sidecar.command = crate::world::server("127.0.0.1:5432");
    sidecar.mounts.retain(|mount| matches!(mount, Mount::Named { .. }));
    spec.main.extra_hosts = vec!["db:127.0.0.1".to_owned()];
    spec.sidecars.push(sidecar);
    let spec = spec.sealed();
    let ask = "perl -MIO::Socket::INET -e 'for (1..50) { if ($s = IO::Socket::INET->new(\"db:5432\")) \
               { print \"ok\"; exit } select undef, undef, undef, 0.1 }'";
    for _ in 0..2 {
        world.docker.up(&spec).await.unwrap();
        let seen = world.docker.observe(spec.workspace).await.unwrap();
        assert_eq!(seen.containers.len(), 2, "{seen:?}");
        assert!(seen.containers.values().all(|state| *state == ContainerState::Up), "{seen:?}");
        assert_eq!(trial.shell(ask).await.unwrap().stdout, "ok");
        // The main container dies alone, which leaves the other one without a network.
        world.engine.kill_container(&world.container(&spec), None).await.unwrap();
    }
    world.docker.down(spec.workspace, Duration::from_secs(2)).await.unwrap();
    let seen = world.docker.observe(spec.workspace).await.unwrap();
    assert!(seen.containers.values().all(|state| matches!(state, ContainerState::Down { .. })), "{seen:?}");
}
