//! Troubles of the engine and of the IDE: waited for where waiting helps, told where it does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steading_core::config::Config;
use steading_core::queue::Job;
use steading_core::runtime::{ImageInfo, RuntimeError};
use steading_core::{Desired, Phase, WorkspaceId};
use steading_runtime::fake::Op;
use steading_worker::Rest;
use tokio_util::sync::CancellationToken;
use world::World;

const PLAIN: &str = r#"{"image": "debian"}"#;
const SOON: Duration = Duration::from_secs(30);

fn unreachable() -> RuntimeError {
    RuntimeError::Unreachable("connection refused".into())
}

/// Lets every service hang up on whoever asks, while this is set.
fn silence(world: &World) -> Arc<AtomicBool> {
    let silent = Arc::new(AtomicBool::new(false));
    let asked = silent.clone();
    world.fake.on_dial(move |_, _| {
        let hung_up = || Box::new(tokio::io::duplex(64).0) as Box<dyn steading_core::runtime::Duplex>;
        asked.load(Ordering::Relaxed).then(hung_up)
    });
    silent
}

/// Drives until a step has failed so often in a row.
async fn until_attempts(world: &World, id: WorkspaceId, attempts: u32) {
    loop {
        let rest = world.worker.drive(id).await.unwrap();
        let Rest::Waiting(wait) = rest else { panic!("{rest:?}: {:?}", world.load(id).await.failure) };
        if world.load(id).await.retry.is_some_and(|retry| retry.attempts >= attempts) {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

#[tokio::test]
async fn a_silent_ide_is_started_anew_and_locks_nobody_out() {
    let world = World::with(|config| config.worker.open_seconds = 1).await;
    let id = world.workspace(&world.configured("silent", PLAIN)).await;
    let silent = silence(&world);
    world.settle(id).await;
    silent.store(true, Ordering::Relaxed);
    until_attempts(&world, id, 1).await;
    let stops = || world.helper.lock().unwrap().services.iter().filter(|verb| *verb == "stop").count();
    assert_eq!((stops(), world.load(id).await.phase), (0, Phase::Running));
    until_attempts(&world, id, 3).await;
    let ws = world.load(id).await;
    assert_eq!((stops(), ws.phase, ws.failure), (1, Phase::Running, None));
    assert_eq!((ws.warnings.len(), ws.warnings[0].code.as_str()), (1, "service-restarted"));
    assert_eq!(world.helper.lock().unwrap().services.last().unwrap(), "start");
    silent.store(false, Ordering::Relaxed);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.load(id).await.retry, None);
}

#[tokio::test]
async fn an_ide_that_is_slow_after_a_restart_of_its_container_is_waited_for() {
    let world = World::with(|config| config.worker.open_seconds = 1).await;
    let id = world.workspace(&world.configured("slow", PLAIN)).await;
    let silent = silence(&world);
    world.settle(id).await;
    world.fake.kill(id);
    silent.store(true, Ordering::Relaxed);
    until_attempts(&world, id, 3).await;
    silent.store(false, Ordering::Relaxed);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
}

#[tokio::test]
async fn an_ide_that_never_answered_is_given_up() {
    let world = World::with(|config| config.worker.open_seconds = 1).await;
    let id = world.workspace(&world.configured("never", PLAIN)).await;
    silence(&world).store(true, Ordering::Relaxed);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed));
    let failure = world.load(id).await.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.retryable), ("service-not-ready", true));
    assert!(failure.hint.is_some() && failure.output.unwrap().contains("last words"));
}

/// A repository with a Dockerfile.
fn built(world: &World, name: &str) -> std::path::PathBuf {
    let files = [
        (".devcontainer/devcontainer.json", r#"{"build": {"dockerfile": "Dockerfile"}}"#),
        (".devcontainer/Dockerfile", "FROM debian\nENV A=1\n"),
    ];
    world.repository(name, &files)
}

#[tokio::test]
async fn an_engine_that_is_away_for_a_while_fails_nothing_that_is_being_made() {
    let away = async |op: Op| {
        let world = World::new().await;
        let id = world.workspace(&built(&world, "away")).await;
        if op == Op::Download {
            // A rebuild reads the configuration out of the container.
            world.settle(id).await;
            world.store.workspaces().want_rebuild(id).await.unwrap();
        }
        // 1, 2, 4 and 8 seconds.
        for _ in 0..4 {
            world.fake.fail_next(op, unreachable());
        }
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running), "{op:?}: {:?}", world.load(id).await.failure);
        assert_eq!(world.load(id).await.retry, None);
    };
    tokio::join!(away(Op::Build), away(Op::Up), away(Op::Upload), away(Op::Download));
}

#[tokio::test]
async fn a_full_disk_is_told_with_what_to_do_and_starting_tries_again() {
    let full = async |op: Op, step: &str, tries: usize| {
        let world = World::new().await;
        let id = world.workspace(&built(&world, "full")).await;
        for _ in 0..tries {
            world.fake.fail_next(op, RuntimeError::DiskFull("write /x: no space left on device".to_owned()));
        }
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed), "{op:?}");
        let failure = world.load(id).await.failure.unwrap();
        assert_eq!((failure.step.as_str(), failure.code.as_str(), failure.retryable), (step, "disk-full", true));
        assert!(failure.hint.unwrap().contains("Free space"));
        // Whoever freed space starts it again.
        world.store.workspaces().want(id, Desired::Running).await.unwrap();
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running), "{op:?}");
        assert_eq!(world.fake.file(id, "/workspaces/full/.git/steading").as_deref(), Some("whole\n"));
    };
    tokio::join!(full(Op::Build, "build", 1), full(Op::Up, "up", 3), full(Op::Upload, "populate", 3));
}

#[tokio::test]
async fn long_builds_keep_no_plain_workspace_from_starting() {
    let world = World::with(|config| config.worker.concurrency = 1).await;
    world.fake.add_image("debian", ImageInfo { id: "sha256:d".to_owned(), ..ImageInfo::default() });
    world.fake.on_point(|point| {
        Box::pin(async move {
            if (point.op, point.before) == (Op::Build, "instruction") {
                std::future::pending::<()>().await;
            }
        })
    });
    let mut builds = Vec::new();
    for name in ["one", "two"] {
        let id = world.workspace(&built(&world, name)).await;
        let worker = world.worker.clone();
        builds.push(tokio::spawn(async move { worker.drive(id).await }));
    }
    while world.calls(Op::Build) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let id = world.workspace(&world.configured("plain", PLAIN)).await;
    let rest = tokio::time::timeout(SOON, world.settle(id)).await.expect("it waits for builds");
    assert_eq!((rest, world.calls(Op::Build)), (Rest::Settled(Phase::Running), 1));
    builds.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_change_of_mind_between_a_look_and_its_step_is_noticed() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("b", PLAIN)).await;
    // The first look at the container is followed by the checkout, which hangs for ever.
    let (store, fake) = (world.store.clone(), world.fake.clone());
    world.fake.on_point(move |point| {
        let (store, calls) = (store.clone(), fake.calls(Op::Up));
        Box::pin(async move {
            match (point.op, point.before) {
                (Op::Observe, "begin") if calls == 1 => {
                    store.workspaces().want(id, Desired::Stopped).await.unwrap();
                }
                (Op::Upload, "begin") => std::future::pending::<()>().await,
                _ => {}
            }
        })
    });
    let rest = tokio::time::timeout(Duration::from_secs(20), world.settle(id)).await.expect("it was not noticed");
    assert_eq!(rest, Rest::Settled(Phase::Stopped));
}

#[tokio::test]
async fn a_repository_host_that_hangs_keeps_nobody_from_stopping() {
    let set = |config: &mut Config| (config.worker.concurrency, config.worker.sweep_seconds) = (1, 1);
    let world = World::with(set).await;
    let id = world.workspace(&world.configured("here", PLAIN)).await;
    world.settle(id).await;
    // One waits for the host, and more for their turn than are driven at once.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http://{}/o/r", silent.local_addr().unwrap());
    let mut waiting = Vec::new();
    for _ in 0..300 {
        waiting.push(world.workspace_from(&source).await);
    }
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    let resolving = async {
        loop {
            let mut count = 0;
            for id in &waiting {
                count += usize::from(world.load(*id).await.phase == Phase::Resolving);
            }
            if count >= 256 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON * 2, resolving).await.unwrap();
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    world.store.queue().nudge(Job::Drive { workspace: id }).await.unwrap();
    until(&world, id, Phase::Stopped).await;
    stop.cancel();
    running.await.unwrap();
}

/// Waits until the record shows a phase and nobody is at it.
async fn until(world: &World, id: WorkspaceId, phase: Phase) {
    let reached = async {
        loop {
            match world.store.workspaces().load(id).await {
                Ok(ws) if ws.phase == phase && ws.retry.is_none() => return,
                Err(_) if phase == Phase::Deleted => return,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let waited = tokio::time::timeout(SOON, reached).await;
    assert!(waited.is_ok(), "not {phase}: {:#?}", world.story(id).await);
}

#[tokio::test]
async fn an_engine_that_restarts_and_takes_its_containers_down_gives_them_back() {
    let world = World::with(|config| config.worker.sweep_seconds = 1).await;
    let configuration = r#"{"image": "debian", "onCreateCommand": "echo create", "postStartCommand": "echo start"}"#;
    let repository = world.configured("restart", configuration);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        world.fake.put_file(id, "/workspaces/restart/README.md", "edited");
        ids.push(id);
    }
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    // Until it watches the engine.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..6 {
        world.fake.fail_next(Op::Observe, unreachable());
    }
    ids.iter().for_each(|id| world.fake.kill(*id));
    world.fake.lose_events();
    let back = async {
        while !ids.iter().all(|id| world.hooks(*id).len() == 3) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let back = tokio::time::timeout(SOON, back).await;
    assert!(back.is_ok(), "they do not come back: {:#?}", world.story(ids[0]).await);
    for id in ids {
        until(&world, id, Phase::Running).await;
        let ws = world.load(id).await;
        assert_eq!((ws.failure, ws.warnings), (None, vec![]));
        assert_eq!(world.hooks(id), ["echo create", "echo start", "echo start"]);
        assert_eq!(world.fake.file(id, "/workspaces/restart/README.md").as_deref(), Some("edited"));
    }
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn two_callers_at_once_get_what_was_wished_last() {
    let world = World::with(|config| config.worker.sweep_seconds = 1).await;
    let repository = world.configured("two", r#"{"image": "debian", "onCreateCommand": "echo create"}"#);
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    for last in [Desired::Running, Desired::Stopped, Desired::Deleted] {
        let id = world.workspace(&repository).await;
        let ring = async || {
            let job = steading_core::queue::Job::Drive { workspace: id };
            world.store.queue().nudge(job).await.unwrap();
        };
        let caller = async |pause: u64| {
            let workspaces = world.store.workspaces();
            for turn in 0..12 {
                match turn % 3 {
                    0 => workspaces.want(id, Desired::Stopped).await.unwrap(),
                    1 => workspaces.want(id, Desired::Running).await.unwrap(),
                    _ => workspaces.want_rebuild(id).await.unwrap(),
                };
                ring().await;
                tokio::time::sleep(Duration::from_millis(pause * turn % 17)).await;
            }
        };
        tokio::join!(caller(3), caller(7));
        world.store.workspaces().want(id, last).await.unwrap();
        ring().await;
        let phase = match last {
            Desired::Running => Phase::Running,
            Desired::Stopped => Phase::Stopped,
            Desired::Deleted => Phase::Deleted,
        };
        until(&world, id, phase).await;
        if last == Desired::Deleted {
            assert!(!world.fake.workspaces().contains(&id));
        } else {
            let ws = world.load(id).await;
            assert_eq!((ws.failure, ws.desired), (None, last));
            let seen = steading_core::runtime::Runtime::observe(&world.fake, id).await.unwrap();
            assert_eq!(seen.is_up(), last == Desired::Running);
        }
    }
    stop.cancel();
    running.await.unwrap();
}
