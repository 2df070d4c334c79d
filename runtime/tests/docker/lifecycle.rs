//! What an engine's other users do to our objects, and what we do then.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions};
use steading_core::pod::{ContainerName, Mount, VolumeRole};
use steading_core::runtime::{ContainerState, Runtime as _, RuntimeError};
use steading_runtime::docker::Docker;

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
    let refused = world.docker.up(&spec).await;
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
    other.up(&spec).await.unwrap();
    assert_eq!(trial.shell("hostname").await.unwrap().stdout, "replaced\n");
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
