//! How much longer a start takes through us than by the engine's own two calls.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use steading_core::runtime::Runtime as _;
use steading_runtime::conformance::SERVICE;
use tokio::net::TcpStream;

use crate::world::World;

const ROUNDS: usize = 10;

async fn raw(world: &World) -> Duration {
    let network = format!("steading-{}", world.installation);
    // The same volumes as ours: each costs the engine a write to its disk.
    let volume = |number: usize| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(format!("steading-{}-raw-{number}", uuid::Uuid::new_v4().simple())),
        target: Some(format!("/volume-{number}")),
        volume_options: Some(MountVolumeOptions {
            labels: Some(HashMap::from([("dev.steading/installation".to_owned(), world.installation.clone())])),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    let body = ContainerCreateBody {
        image: Some(world.fixture.image.to_string()),
        cmd: Some(world.fixture.server.clone()),
        host_config: Some(HostConfig {
            init: Some(true),
            mounts: Some((0..3).map(volume).collect()),
            network_mode: Some(network.clone()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let begun = Instant::now();
    let id = world.engine.create_container(None, body).await.unwrap().id;
    world.engine.start_container(&id, None).await.unwrap();
    let seen = world.engine.inspect_container(&id, None).await.unwrap();
    let networks = seen.network_settings.unwrap().networks.unwrap();
    let ip = networks[&network].ip_address.clone().unwrap();
    while TcpStream::connect((ip.as_str(), SERVICE)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed();
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    world.engine.remove_container(&id, Some(force)).await.unwrap();
    took
}

async fn ours(world: &World) -> Duration {
    let trial = world.trial();
    let begun = Instant::now();
    world.docker.up(&trial.spec).await.unwrap();
    while world.docker.dial(trial.id(), SERVICE).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed();
    world.docker.remove(trial.id()).await.unwrap();
    took
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine"]
async fn a_start_costs_little_more_than_the_engine_itself() {
    let Some(world) = World::new().await else { return };
    ours(&world).await;
    let (mut theirs, mut mine) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(raw(&world).await);
        mine.push(ours(&world).await);
    }
    theirs.sort();
    mine.sort();
    let (theirs, mine) = (theirs[ROUNDS / 2], mine[ROUNDS / 2]);
    eprintln!("create → start → connected, median of {ROUNDS}: the engine {theirs:?}, ours {mine:?}");
    assert!(mine < theirs.mul_f64(1.5), "ours takes {mine:?}, the engine {theirs:?}");
}
