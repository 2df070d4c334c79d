//! What is of no use any more goes, and nothing else does.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use steading_core::runtime::{BuildRequest, Runtime as _};
use steading_core::{Desired, ImageRef, Phase};
use steading_runtime::conformance::Lines;
use steading_runtime::fake::Op;
use steading_worker::Rest;
use world::World;

const CONFIGURATION: &str = r#"{"build": {"dockerfile": "Dockerfile"}}"#;

async fn names(world: &World) -> Vec<String> {
    world.fake.built().await.unwrap().into_iter().map(|image| image.name.to_string()).collect()
}

/// An image of this label that somebody gave a name of their own.
async fn somebodys(world: &World) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(15);
    header.set_mode(0o644);
    builder.append_data(&mut header, "Dockerfile", &b"FROM universal\n"[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let request = BuildRequest {
        tag: ImageRef::new("mine:1"),
        dockerfile: "Dockerfile".to_owned(),
        target: None,
        args: BTreeMap::new(),
        cache_from: Vec::new(),
        labels: BTreeMap::new(),
    };
    let context = futures::stream::iter([Ok(bytes.into())]).boxed();
    world.fake.build(&request, context, &Lines::default()).await.unwrap();
}

#[tokio::test]
async fn images_go_when_no_record_names_them() {
    let world = World::new().await;
    somebodys(&world).await;
    let files = [
        (".devcontainer/devcontainer.json", CONFIGURATION),
        (".devcontainer/Dockerfile", "FROM universal\nLABEL version=1\n"),
    ];
    let repository = world.repository("built", &files);
    let id = world.workspace(&repository).await;
    world.settle(id).await;
    let first = names(&world).await;
    assert_eq!(first.len(), 2, "{first:?}");
    world.worker.tidy(Duration::ZERO).await;
    assert_eq!(names(&world).await, first, "the image of a workspace went");

    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    world.settle(id).await;
    world.fake.lose_container(id);
    world.worker.tidy(Duration::ZERO).await;
    assert_eq!(names(&world).await, first, "a workspace that is stopped has no image to start from");

    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    world.settle(id).await;
    world.fake.put_file(id, "/workspaces/built/.devcontainer/Dockerfile", "FROM universal\nLABEL version=2\n");
    world.store.workspaces().want_rebuild(id).await.unwrap();
    world.settle(id).await;
    assert_eq!(names(&world).await.len(), 3);
    world.worker.tidy(Duration::ZERO).await;
    let second = names(&world).await;
    assert_eq!(second.len(), 2, "{second:?}");
    assert!(second.iter().all(|name| name == "mine:1" || !first.contains(name)), "{second:?}");

    world.store.workspaces().want(id, Desired::Deleted).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Deleted));
    world.worker.tidy(Duration::ZERO).await;
    assert_eq!(names(&world).await, ["mine:1"]);
}

#[tokio::test]
async fn a_rebuild_that_fails_late_finds_what_it_goes_back_to() {
    let world = World::with(|config| config.worker.open_seconds = 1).await;
    let files = [
        (".devcontainer/devcontainer.json", CONFIGURATION),
        (".devcontainer/Dockerfile", "FROM universal\nLABEL version=1\n"),
    ];
    let id = world.workspace(&world.repository("late", &files)).await;
    world.settle(id).await;
    let (before, first) = (world.load(id).await, names(&world).await);
    world.fake.put_file(id, "/workspaces/late/.devcontainer/Dockerfile", "FROM universal\nLABEL version=2\n");
    // The IDE of the second image never answers.
    let fake = world.fake.clone();
    world.fake.on_dial(move |_, _| {
        let hung_up = || Box::new(tokio::io::duplex(64).0) as Box<dyn steading_core::runtime::Duplex>;
        (fake.calls(Op::Up) == 2).then(hung_up)
    });
    world.store.workspaces().want_rebuild(id).await.unwrap();
    assert!(matches!(world.worker.drive(id).await.unwrap(), Rest::Waiting(_)));
    assert!(world.load(id).await.facts.last.is_some());
    world.worker.tidy(Duration::ZERO).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!((after.warnings[0].code.as_str(), &after.spec), ("service-not-ready", &before.spec));
    assert_eq!(world.calls(Op::Build), 2, "the image before was built once more");
    world.worker.tidy(Duration::ZERO).await;
    assert_eq!(names(&world).await, first);
}
