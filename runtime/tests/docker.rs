//! The promises of every runtime, on a real Docker Engine; and what is Docker's alone.
//!
//! The image is `STEADING_TEST_IMAGE`, or what `script/images` makes. Where no engine answers, the
//! tests say so and do nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may stop where they stand"
)]

#[path = "docker/world.rs"]
mod world;

#[path = "docker/away.rs"]
mod away;
#[path = "docker/builds.rs"]
mod builds;
#[path = "docker/full.rs"]
mod full;
#[path = "docker/inside.rs"]
mod inside;
#[path = "docker/isolation.rs"]
mod isolation;
#[path = "docker/lifecycle.rs"]
mod lifecycle;
#[path = "docker/ports.rs"]
mod ports;
#[path = "docker/registry.rs"]
mod registry;
#[path = "docker/speed.rs"]
mod speed;
#[path = "docker/tools.rs"]
mod tools;

use steading_runtime::conformance;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn docker_keeps_every_promise() {
    let Some(world) = World::new().await else { return };
    let broken = conformance::suite(&world.docker, &world.fixture).await;
    world.drop_images("steading.test/conformance").await;
    assert!(broken.is_empty(), "{}", broken.iter().map(|b| format!("\n  {b}")).collect::<String>());
}
