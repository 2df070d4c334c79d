//! Who may see a port: what is public is so until the next start of the container, whoever starts it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use steading_core::routes::Visibility::{self, Public, SignedIn};
use steading_core::runtime::Runtime as _;
use steading_core::{Desired, Phase, WorkspaceId};
use steading_worker::Rest;
use world::World;

async fn shared(world: &World, id: WorkspaceId) -> Vec<(u16, Visibility)> {
    world.store.ports().list(id).await.unwrap().into_iter().collect()
}

async fn share(world: &World, id: WorkspaceId) {
    for (port, visibility) in [(3000, Public), (4000, SignedIn)] {
        world.store.ports().set(id, port, visibility).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_public_is_so_for_one_start_of_the_container() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("p", r#"{"image": "debian", "postStartCommand": "echo start"}"#)).await;
    let settle = async || assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    settle().await;
    share(&world, id).await;
    // Looking again changes nothing, nor does another process that looks.
    settle().await;
    assert_eq!(world.settle_by(&world.another_worker(), id).await, Rest::Settled(Phase::Running));
    assert_eq!(shared(&world, id).await, [(3000, Public), (4000, SignedIn)]);

    // Somebody restarts it behind our back, and we see it only when it is up again.
    world.fake.kill(id);
    let spec = world.load(id).await.spec.unwrap();
    world.fake.up(&spec).await.unwrap();
    settle().await;
    assert_eq!(world.hooks(id).len(), 2, "it is another start");
    assert_eq!(shared(&world, id).await, [(4000, SignedIn)]);
    share(&world, id).await;
    settle().await;
    assert_eq!(shared(&world, id).await, [(3000, Public), (4000, SignedIn)], "whoever shares it again means it");

    // We start it ourselves: it died, or its owner says so.
    world.fake.kill(id);
    settle().await;
    assert_eq!(shared(&world, id).await, [(4000, SignedIn)]);
    share(&world, id).await;
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    world.settle(id).await;
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    settle().await;
    assert_eq!(shared(&world, id).await, [(4000, SignedIn)]);
}
