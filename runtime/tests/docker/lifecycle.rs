//! What an engine's other users do to our objects, and what we do then.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions};
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

/// Stands between us and the engine, and removes the first container that is about to be started.
fn meddle(socket: &Path, engine: &bollard::Docker) {
    let listener = UnixListener::bind(socket).unwrap();
    let (engine, meddled) = (engine.clone(), Arc::new(AtomicBool::new(false)));
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let (engine, meddled) = (engine.clone(), meddled.clone());
            tokio::spawn(async move {
                let far = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let ((mut from_us, mut to_us), (mut from_engine, mut to_engine)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut from_engine, &mut to_us).await });
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count @ 1..) = from_us.read(&mut buffer).await {
                    let head = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    let line = head.lines().next().unwrap_or_default();
                    let id = line.split_once("/containers/").and_then(|(_, rest)| rest.split_once("/start"));
                    if let Some((id, _)) = id
                        && !meddled.swap(true, Ordering::Relaxed)
                    {
                        let force = RemoveContainerOptionsBuilder::new().force(true).build();
                        engine.remove_container(id, Some(force)).await.unwrap();
                    }
                    if to_engine.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_removed_before_its_start_is_made_again() {
    if !Path::new("/var/run/docker.sock").exists() {
        eprintln!("SKIPPED: no Docker Engine at the usual socket");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let address = format!("unix://{}", socket.display());
    let Some(world) = World::with(|config| config.runtime.docker_host = address).await else { return };
    meddle(&socket, &world.engine);
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    assert!(world.docker.observe(trial.id()).await.unwrap().is_up());
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
