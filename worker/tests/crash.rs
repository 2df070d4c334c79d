//! Ends the driver at every await point of every step, and drives again: it must come to the same end,
//! with every hook run once and nothing doubled.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use steading_core::{Desired, Phase, Stage, WorkspaceId};
use steading_store::Store;
use steading_worker::{Rest, Worker};
use tokio::sync::Notify;
use world::World;

const CONFIGURATION: &str = r#"{
    "image": "debian",
    "remoteUser": "1000",
    "runArgs": ["--privileged"],
    "onCreateCommand": "echo create",
    "postCreateCommand": {"one": "echo 1", "two": "echo 2"},
    "postStartCommand": "echo start",
    "customizations": {"vscode": {"settings": {"a": 1}, "extensions": ["a.b"]}}
}"#;

/// A future that is polled so often and no more; `None` if that was too few.
struct Polls<F> {
    future: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

/// Drives with one worker that dies after so many polls, then with another; whether the first one came
/// to rest by itself.
async fn interrupted(world: &World, id: WorkspaceId, polls: usize) -> bool {
    let dying = world.another_worker();
    let drive = Polls { future: Box::pin(async { dying.drive(id).await.unwrap() }), left: polls };
    let finished = matches!(drive.await, Some(Rest::Settled(_)));
    world.settle(id).await;
    finished
}

/// Drives as a process of its own that is killed when the runtime has come to a point: it gives nothing back,
/// and its lease has to run out. Whether it came to rest before that.
async fn killed(world: &World, id: WorkspaceId, at: usize) -> bool {
    let (passed, reached) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let here = reached.clone();
    world.fake.on_point(move |_| {
        let is_here = passed.fetch_add(1, Ordering::Relaxed) == at;
        let here = here.clone();
        Box::pin(async move {
            if is_here {
                here.notify_one();
                std::future::pending::<()>().await;
            }
        })
    });
    let (config, fake) = (world.config.clone(), world.fake.clone());
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // A store of its own, too: what it has not written of a log nobody else waits for.
            let store = Store::open(&config).await.unwrap();
            let dying = Worker::new(config, store, Arc::new(fake)).unwrap();
            let mut drive = Box::pin(dying.drive(id));
            tokio::select! {
                rest = &mut drive => return matches!(rest.unwrap(), Rest::Settled(_)),
                () = reached.notified() => {}
            }
            // Nothing in it is ever dropped; what it spawned ends with its runtime.
            std::mem::forget(drive);
            false
        })
    });
    let finished = tokio::task::spawn_blocking(|| process.join().unwrap()).await.unwrap();
    world.fake.on_point(|_| Box::pin(std::future::ready(())));
    finished
}

/// Every point that a run of `each` passes, one after the other; tells how many there were.
async fn at_every_point<F: Future<Output = bool>>(each: impl Fn(usize) -> F) -> usize {
    let mut polls = 1;
    while !each(polls).await {
        polls += 1;
        assert!(polls < 5000, "it never comes to its end");
    }
    polls
}

/// The hooks of one container; those that run side by side sorted, as they may begin in any order.
fn in_order(hooks: &[String]) -> Vec<String> {
    let mut hooks = hooks.to_vec();
    if let Some(side_by_side) = hooks.get_mut(1..3) {
        side_by_side.sort();
    }
    hooks
}

async fn is_whole(world: &World, id: WorkspaceId, polls: usize) {
    let ws = world.load(id).await;
    let story = world.story(id).await;
    assert_eq!((ws.phase, &ws.failure, &ws.retry), (Phase::Running, &None, &None), "after {polls}: {story:#?}");
    let hooks = in_order(&world.hooks(id));
    assert_eq!(hooks, ["echo create", "echo 1", "echo 2", "echo start"], "after {polls}: {story:#?}");
    let hooks = ws.facts.hooks.clone().unwrap();
    assert_eq!((hooks.stage, hooks.failed), (Stage::PostCreate, None), "after {polls}");
    assert!(ws.facts.post_start.is_some() && ws.facts.extensions.is_some(), "after {polls}");
    assert_eq!(world.fake.file(id, "/workspaces/crash/README.md").as_deref(), Some("# hello\n"), "after {polls}");
    assert_eq!(world.fake.file(id, "/workspaces/crash/.git/steading").as_deref(), Some("whole\n"), "after {polls}");
    assert!(world.fake.file(id, "/var/lib/steading/ide/Machine/settings.json").is_some(), "after {polls}");
    // Each title and each line of output once, whoever followed.
    let log = world.log(id, "hook:postCreateCommand").await;
    for line in ["$ one: echo 1", "ran echo 1", "$ two: echo 2", "ran echo 2"] {
        assert_eq!(log.iter().filter(|told| *told == line).count(), 1, "after {polls}: {log:#?}");
    }
    for (stage, said) in [("onCreateCommand", "create"), ("postStartCommand", "start")] {
        let log = world.log(id, &format!("hook:{stage}")).await;
        assert_eq!(log, [format!("$ echo {said}"), format!("ran echo {said}")], "after {polls}");
    }
    let mut told = BTreeMap::new();
    for line in &story {
        *told.entry(line.as_str()).or_insert(0) += 1;
    }
    let doubled: Vec<_> = told.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "after {polls}: {doubled:?} in {story:#?}");
}

#[tokio::test]
async fn a_launch_comes_to_the_same_end_wherever_its_driver_dies() {
    let world = World::new().await;
    let repository = world.configured("crash", CONFIGURATION);
    let points = at_every_point(async |polls| {
        let id = world.workspace(&repository).await;
        let finished = interrupted(&world, id, polls).await;
        is_whole(&world, id, polls).await;
        finished
    })
    .await;
    println!("{points} points");
    // A launch takes eight steps, each recorded before and after; how many of those waits are seen as
    // polls of their own depends on how busy the machine is.
    assert!(points > 24, "{points} points are too few to be true");
}

#[tokio::test]
async fn stopping_and_starting_comes_to_the_same_end() {
    let world = World::new().await;
    let repository = world.configured("crash", CONFIGURATION);
    at_every_point(async |polls| {
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        world.fake.put_file(id, "/workspaces/crash/README.md", "edited");
        world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
        let stopped = interrupted(&world, id, polls).await;
        assert_eq!(world.load(id).await.phase, Phase::Stopped, "after {polls}");
        world.store.workspaces().want(id, Desired::Running).await.unwrap();
        let started = interrupted(&world, id, polls).await;
        let ws = world.load(id).await;
        assert_eq!((ws.phase, ws.facts.deaths.count), (Phase::Running, 0), "after {polls}");
        let edited = world.fake.file(id, "/workspaces/crash/README.md");
        assert_eq!(edited.as_deref(), Some("edited"), "after {polls}");
        let hooks = world.hooks(id);
        assert_eq!(hooks[3..], ["echo start", "echo start"], "after {polls}: {:#?}", world.story(id).await);
        stopped && started
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_comes_to_the_same_end() {
    let world = World::new().await;
    let repository = world.configured("crash", CONFIGURATION);
    at_every_point(async |polls| {
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        world.fake.put_file(id, "/workspaces/crash/README.md", "edited");
        world.store.workspaces().want_rebuild(id).await.unwrap();
        let finished = interrupted(&world, id, polls).await;
        assert_eq!(world.load(id).await.phase, Phase::Running, "after {polls}");
        let edited = world.fake.file(id, "/workspaces/crash/README.md");
        assert_eq!(edited.as_deref(), Some("edited"), "after {polls}");
        let (before, after) = (in_order(&world.hooks(id)[..4]), in_order(&world.hooks(id)[4..]));
        assert_eq!(before, after, "after {polls}");
        finished
    })
    .await;
}

#[tokio::test]
async fn a_deletion_comes_to_the_same_end() {
    let world = World::new().await;
    let repository = world.configured("crash", CONFIGURATION);
    at_every_point(async |polls| {
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        world.store.workspaces().want(id, Desired::Deleted).await.unwrap();
        let finished = interrupted(&world, id, polls).await;
        assert!(world.store.workspaces().load(id).await.is_err(), "after {polls}");
        assert!(!world.fake.workspaces().contains(&id), "after {polls}");
        finished
    })
    .await;
}

#[tokio::test]
async fn whoever_is_killed_is_followed_once_its_lease_has_run_out() {
    let world = World::with(|config| config.worker.lease_seconds = 3).await;
    let repository = world.configured("crash", CONFIGURATION);
    let mut at = 0;
    loop {
        let id = world.workspace(&repository).await;
        if killed(&world, id, at).await {
            break;
        }
        assert_eq!(world.worker.drive(id).await.unwrap(), Rest::Busy, "the lease of the dead is respected, at {at}");
        world.settle(id).await;
        is_whole(&world, id, at).await;
        // Each takes as long as the lease.
        at += 7;
    }
    assert!(at > 15, "{at} points are too few to be true");
}

#[tokio::test]
async fn a_build_and_an_entry_come_to_the_same_end() {
    let world = World::new().await;
    let files = [
        (
            ".devcontainer/devcontainer.json",
            r#"{"build": {"dockerfile": "Dockerfile", "context": ".."}, "onCreateCommand": "echo create",
                "postAttachCommand": "echo attach"}"#,
        ),
        (".devcontainer/Dockerfile", "FROM debian\nENV A=1\nUSER 1000\n"),
    ];
    let repository = world.repository("built", &files);
    at_every_point(async |polls| {
        // Each build is one of its own.
        world.fake.forget_images();
        let id = world.workspace(&repository).await;
        world.store.workspaces().entered(id, chrono::Utc::now()).await.unwrap();
        let finished = interrupted(&world, id, polls).await;
        let ws = world.load(id).await;
        assert_eq!((ws.phase, &ws.failure), (Phase::Running, &None), "after {polls}");
        assert_eq!(ws.spec.unwrap().remote_user, "1000", "after {polls}");
        assert_eq!((ws.facts.attached, ws.warnings.len()), (ws.entered_at, 0), "after {polls}");
        assert_eq!(world.hooks(id), ["echo create", "echo attach"], "after {polls}: {:#?}", world.story(id).await);
        finished
    })
    .await;
}

#[tokio::test]
async fn a_failing_hook_comes_to_the_same_end() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "onCreateCommand": "echo create", "postCreateCommand": "exit 3",
        "postStartCommand": "echo start"}"#;
    let repository = world.configured("failing", configuration);
    at_every_point(async |polls| {
        let id = world.workspace(&repository).await;
        let finished = interrupted(&world, id, polls).await;
        let ws = world.load(id).await;
        assert_eq!((ws.phase, &ws.failure), (Phase::Running, &None), "after {polls}");
        let codes: Vec<_> = ws.warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, ["hook-failed"], "after {polls}");
        assert_eq!(world.hooks(id), ["echo create", "exit 3"], "after {polls}: {:#?}", world.story(id).await);
        finished
    })
    .await;
}
