//! Everything that can go wrong on the way, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use steading_core::inquiry::Inquiry;
use steading_core::pod::VolumeRole;
use steading_core::routes::Visibility;
use steading_core::runtime::{ImageInfo, Runtime as _, RuntimeError};
use steading_core::{Class, Desired, ImageRef, Phase};
use steading_runtime::fake::Op;
use steading_store::Waited;
use steading_worker::Rest;
use tokio_util::sync::CancellationToken;
use world::World;

fn plain() -> &'static str {
    r#"{"image": "debian"}"#
}

fn unreachable() -> RuntimeError {
    RuntimeError::Unreachable("connection refused".into())
}

#[tokio::test]
async fn a_rebuild_replaces_the_container_and_keeps_the_files() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("r", r#"{"image": "debian", "onCreateCommand": "echo a"}"#)).await;
    world.settle(id).await;
    let before = world.load(id).await;
    world.fake.put_file(id, "/workspaces/r/README.md", "edited");
    world.store.workspaces().want_rebuild(id).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_ne!(before.facts.hooks.unwrap().instance, after.facts.hooks.unwrap().instance);
    assert_eq!(before.facts.populated, after.facts.populated);
    assert_eq!(world.fake.file(id, "/workspaces/r/README.md").as_deref(), Some("edited"));
    assert_eq!(world.hooks(id), ["echo a", "echo a"]);
}

#[tokio::test]
async fn a_rebuild_takes_the_configuration_as_it_was_edited_in_the_workspace() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("ed", plain())).await;
    world.settle(id).await;
    let edited = r#"{"build": {"dockerfile": "Dockerfile"}, "remoteEnv": {"A": "1"}}"#;
    world.fake.put_file(id, "/workspaces/ed/.devcontainer/devcontainer.json", edited);
    world.fake.put_file(id, "/workspaces/ed/.devcontainer/Dockerfile", "FROM debian\nUSER 1000\n");
    world.store.workspaces().want_rebuild(id).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
    let spec = world.load(id).await.spec.unwrap();
    assert_eq!((spec.remote_user.as_str(), spec.remote_env["A"].as_deref()), ("1000", Some("1")));
}

#[tokio::test]
async fn a_transient_fault_is_tried_again_and_forgotten() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("t", plain())).await;
    world.fake.fail_next(Op::Up, unreachable());
    assert!(matches!(world.worker.drive(id).await.unwrap(), Rest::Waiting(_)));
    let ws = world.load(id).await;
    assert_eq!((ws.phase, ws.retry.map(|r| (r.step, r.attempts))), (Phase::Starting, Some(("up".to_owned(), 1))));
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.load(id).await.retry, None);
    assert!(world.story(id).await.contains(&"up failed for the 1. time".to_owned()));
}

#[tokio::test]
async fn a_fault_that_stays_is_a_failure_and_starting_tries_again() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("f", r#"{"image": "registry.invalid/x"}"#)).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed));
    let failure = world.load(id).await.failure.unwrap();
    assert_eq!((failure.step.as_str(), failure.code.as_str()), ("build", "image-pull-failed"));
    assert!(failure.hint.is_some() && failure.output.unwrap().contains("Pulling registry.invalid/x"));
    world.fake.add_image("registry.invalid/x", ImageInfo { id: "sha256:x".to_owned(), ..ImageInfo::default() });
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
}

#[tokio::test]
async fn a_broken_configuration_is_a_failure_with_its_place() {
    let world = World::new().await;
    for (name, configuration, code) in [
        ("list", "[1]", "broken-configuration"),
        ("user", r#"{"image": "debian", "remoteUser": "nobody-here"}"#, "no-such-user"),
        ("variable", r#"{"image": "debian", "remoteEnv": {"A": "${containerEnv}"}}"#, "variable-without-name"),
        ("build", r#"{"build": {"dockerfile": "Missing"}}"#, "dockerfile-not-found"),
    ] {
        let id = world.workspace(&world.configured(name, configuration)).await;
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed), "{name}");
        let failure = world.load(id).await.failure.unwrap();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.hint.is_some() && !failure.retryable, "{failure:?}");
    }
}

#[tokio::test]
async fn what_the_policy_refuses_is_told_and_the_workspace_starts_without() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "privileged": true,
        "mounts": ["type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock"]}"#;
    let id = world.workspace(&world.configured("p", configuration)).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let story = world.story(id).await;
    for code in ["privileged-refused", "engine-socket-refused"] {
        assert!(story.contains(&format!("warning {code}")), "{story:#?}");
    }
    let spec = world.load(id).await.spec.unwrap();
    assert!(!spec.main.privileged && !format!("{:?}", spec.main.mounts).contains("docker.sock"));
}

#[tokio::test]
async fn a_failing_hook_skips_later_ones_and_the_workspace_opens() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "onCreateCommand": "echo a; exit 3",
        "postCreateCommand": "echo b", "postStartCommand": "echo c"}"#;
    let id = world.workspace(&world.configured("h", configuration)).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let ws = world.load(id).await;
    assert_eq!(world.hooks(id), ["echo a; exit 3"]);
    assert_eq!((ws.warnings.len(), ws.warnings[0].code.as_str()), (1, "hook-failed"));
    assert!(ws.warnings[0].output.as_ref().unwrap().contains("ran echo a"));
    assert!(world.story(id).await.contains(&"onCreateCommand ended with 3".to_owned()));
    // The next start goes on after the hook that failed, as the reference does.
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    world.settle(id).await;
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    world.settle(id).await;
    assert_eq!(world.hooks(id)[1..], ["echo b", "echo c"]);
}

#[tokio::test]
async fn a_public_port_is_private_after_every_kind_of_start() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("repo", plain())).await;
    world.settle(id).await;
    for how in ["stop", "rebuild", "death"] {
        world.store.ports().set(id, 3000, Visibility::Public).await.unwrap();
        world.store.ports().set(id, 4000, Visibility::SignedIn).await.unwrap();
        match how {
            "stop" => {
                world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
                world.settle(id).await;
                world.store.workspaces().want(id, Desired::Running).await.unwrap();
            }
            "rebuild" => drop(world.store.workspaces().want_rebuild(id).await.unwrap()),
            _ => world.fake.kill(id),
        }
        world.settle(id).await;
        assert_eq!(world.load(id).await.phase, Phase::Running, "{how}");
        let shared = world.store.ports().list(id).await.unwrap();
        assert_eq!(shared, BTreeMap::from([(4000, Visibility::SignedIn)]), "{how}");
    }
}

#[tokio::test]
async fn a_container_that_dies_is_started_again_and_given_up_at_the_third_time() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("d", plain())).await;
    world.settle(id).await;
    for death in 1..=3 {
        world.fake.end(id, 7, death == 3);
        let rest = world.settle(id).await;
        let expected = if death < 3 { Phase::Running } else { Phase::Failed };
        assert_eq!(rest, Rest::Settled(expected), "death {death}");
    }
    let failure = world.load(id).await.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.output.is_some()), ("container-keeps-dying", true));
    let story = world.story(id).await;
    assert_eq!(story.iter().filter(|line| line.starts_with("died")).count(), 3, "{story:#?}");
    // Starting it again counts afresh.
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
}

#[tokio::test]
async fn a_pruned_image_is_had_again() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("i", plain())).await;
    world.settle(id).await;
    let image = world.load(id).await.facts.image.unwrap().image;
    world.fake.prune_image(&image);
    world.fake.prune_image(&ImageRef::new("debian"));
    world.fake.lose_container(id);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.calls(Op::Pull), 2);
    assert_eq!(world.load(id).await.failure, None);
}

#[tokio::test]
async fn a_lost_volume_is_made_and_filled_again() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("v", plain())).await;
    world.settle(id).await;
    world.fake.lose_container(id);
    world.fake.lose_volume(id, VolumeRole::Workspace);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.fake.file(id, "/workspaces/v/README.md").as_deref(), Some("# hello\n"));
    // What was lost with it is told, once.
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let warnings = world.load(id).await.warnings;
    assert_eq!((warnings.len(), warnings[0].code.as_str()), (1, "workspace-volume-lost"));
    assert!(warnings[0].hint.as_ref().unwrap().contains("docker volume prune"));
    let story = world.story(id).await;
    assert_eq!(story.iter().filter(|line| line.starts_with("warned workspace-volume-lost")).count(), 1, "{story:#?}");
}

#[tokio::test]
async fn settings_and_extensions_come_back_when_their_volume_was_lost() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian",
        "customizations": {"vscode": {"settings": {"a": 1}, "extensions": ["a.b"]}}}"#;
    let id = world.workspace(&world.configured("st", configuration)).await;
    world.settle(id).await;
    world.fake.lose_container(id);
    world.fake.lose_volume(id, VolumeRole::State);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert!(world.fake.file(id, "/var/lib/steading/ide/Machine/settings.json").is_some());
    assert_eq!(world.helper.lock().unwrap().extensions, ["a.b", "a.b"]);
    assert_eq!(world.load(id).await.warnings, []);
}

#[tokio::test]
async fn a_repository_that_is_there_is_never_written_over() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("g", plain())).await;
    // The volume is there and the record forgot: a person's clone, then a checkout of ours that broke off.
    for (mark, content) in [(None, "theirs"), (Some("whole\n"), "theirs"), (Some("begun\n"), "# hello\n")] {
        let id = if mark.is_none() { id } else { world.workspace(&world.folder.path().join("g")).await };
        world.fake.fail_next(Op::Download, RuntimeError::Refused("later".to_owned()));
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed));
        world.fake.put_file(id, "/workspaces/g/.git/HEAD", "ref: refs/heads/main\n");
        world.fake.put_file(id, "/workspaces/g/README.md", "theirs");
        if let Some(mark) = mark {
            world.fake.put_file(id, "/workspaces/g/.git/steading", mark);
        }
        world.store.workspaces().want(id, Desired::Running).await.unwrap();
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
        assert_eq!(world.fake.file(id, "/workspaces/g/README.md").as_deref(), Some(content), "{mark:?}");
    }
}

#[tokio::test]
async fn a_change_of_mind_cuts_the_running_step() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("m", plain())).await;
    // The start hangs for ever.
    world.fake.on_point(|point| {
        Box::pin(async move {
            if point.op == Op::Up && point.before == "start" {
                std::future::pending::<()>().await;
            }
        })
    });
    let (worker, store) = (world.worker.clone(), world.store.clone());
    let drive = tokio::spawn(async move { worker.drive(id).await.unwrap() });
    while world.load(id).await.phase != Phase::Starting || world.calls(Op::Up) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    store.workspaces().want(id, Desired::Deleted).await.unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(5), drive).await.unwrap().unwrap();
    assert_eq!(rest, Rest::Settled(Phase::Deleted));
    assert!(world.fake.workspaces().is_empty());
}

#[tokio::test]
async fn two_workers_never_drive_one_workspace_at_once() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("w", r#"{"image": "debian", "onCreateCommand": "echo a"}"#)).await;
    let others: Vec<_> = (0..4).map(|_| world.another_worker()).collect();
    futures::future::join_all(others.iter().map(|worker| world.settle_by(worker, id))).await;
    let ws = world.load(id).await;
    assert_eq!((ws.phase, ws.failure), (Phase::Running, None));
    assert_eq!((world.calls(Op::Up), world.hooks(id).len()), (1, 1));
}

#[tokio::test]
async fn stopping_is_never_given_up() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("s", plain())).await;
    world.settle(id).await;
    for _ in 0..2 {
        world.fake.fail_next(Op::Down, RuntimeError::Refused("no".to_owned()));
    }
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Stopped));
    let ws = world.load(id).await;
    assert_eq!((ws.failure, ws.retry), (None, None));
}

#[tokio::test]
async fn an_engine_that_is_away_fails_no_running_workspace() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("e", plain())).await;
    world.settle(id).await;
    for _ in 0..2 {
        world.fake.fail_next(Op::Observe, unreachable());
    }
    assert!(matches!(world.worker.drive(id).await.unwrap(), Rest::Waiting(_)));
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    let ws = world.load(id).await;
    assert_eq!((ws.failure, ws.retry, world.calls(Op::Up)), (None, None, 1));
}

#[tokio::test]
async fn a_worker_answers_rings_notices_deaths_and_stops_without_stopping_workspaces() {
    let world = World::with(|config| config.worker.sweep_seconds = 1).await;
    let id = world.workspace(&world.configured("run", plain())).await;
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    // Nobody rang: the first sweep finds it.
    until(&world, id, Phase::Running).await;
    let first = world.load(id).await.spec.unwrap();
    world.fake.kill(id);
    tokio::time::timeout(Duration::from_secs(5), async {
        while world.calls(Op::Up) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    until(&world, id, Phase::Running).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
    assert_eq!(world.load(id).await.spec.unwrap(), first);
    assert!(world.fake.calls(Op::Down) == 0 && !world.fake.workspaces().is_empty());
}

#[tokio::test]
async fn what_comes_up_of_a_deleted_workspace_is_removed_and_no_other() {
    let world = World::with(|config| config.worker.sweep_seconds = 1).await;
    let id = world.workspace(&world.configured("late", plain())).await;
    world.settle(id).await;
    let spec = world.load(id).await.spec.unwrap();
    world.store.workspaces().want(id, Desired::Deleted).await.unwrap();
    world.settle(id).await;
    // The engine was slow: what was asked for before the deletion is done after it.
    world.fake.up(&spec).await.unwrap();
    let mut unknown = spec.clone();
    unknown.workspace = steading_core::WorkspaceId::new();
    world.fake.up(&unknown).await.unwrap();
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    let removed = async {
        while world.fake.workspaces().contains(&id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), removed).await.unwrap();
    assert_eq!(world.fake.workspaces(), [unknown.workspace]);
    stop.cancel();
    running.await.unwrap();
}

async fn until(world: &World, id: steading_core::WorkspaceId, phase: Phase) {
    let reached = async {
        while world.load(id).await.phase != phase {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap();
}

#[tokio::test]
async fn a_question_is_answered_without_doing_anything() {
    let world = World::new().await;
    let repository = world.configured("q", plain());
    let stop = CancellationToken::new();
    let (worker, token) = (world.worker.clone(), stop.clone());
    let running = tokio::spawn(async move { worker.run(token).await });
    let source = |text: &str| steading_core::Source::parse(text, true).unwrap();
    let (there, nowhere) = (source(repository.to_str().unwrap()), source("/nowhere/at/all"));
    for (question, expected) in [
        (Inquiry::Resolution { source: there.clone(), wishes: Default::default() }, "resolved"),
        (Inquiry::Resolution { source: nowhere.clone(), wishes: Default::default() }, "failed"),
        (Inquiry::Refs { source: there }, "refs"),
        (Inquiry::Refs { source: nowhere }, "failed"),
        (Inquiry::Configurations { workspace: steading_core::WorkspaceId::new() }, "failed"),
    ] {
        let inquiries = world.store.inquiries();
        let id = inquiries.ask(&serde_json::to_value(&question).unwrap()).await.unwrap();
        world.store.queue().nudge(steading_core::queue::Job::Resolve { inquiry: id }).await.unwrap();
        let long = Duration::from_secs(10);
        let Waited::Answered(answer) = inquiries.wait(id, long, long).await.unwrap() else { panic!("no answer") };
        assert!(answer.get(expected).is_some(), "{answer}");
    }
    // Who leaves is not worked for any more: the worker can stop although the host never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http://{}/o/r", silent.local_addr().unwrap());
    let source = steading_core::Source::parse(&source, true).unwrap();
    let question = Inquiry::Resolution { source, wishes: Default::default() };
    let inquiries = world.store.inquiries();
    let id = inquiries.ask(&serde_json::to_value(&question).unwrap()).await.unwrap();
    world.store.queue().nudge(steading_core::queue::Job::Resolve { inquiry: id }).await.unwrap();
    let waited = inquiries.wait(id, Duration::from_secs(10), Duration::from_secs(1)).await.unwrap();
    assert!(matches!(waited, Waited::Working(_)), "{waited:?}");
    // A connection that is given up is seen at its other end.
    let (mut connection, _) = silent.accept().unwrap();
    inquiries.forget(id).await.unwrap();
    let closed = tokio::task::spawn_blocking(move || {
        connection.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        std::io::copy(&mut connection, &mut std::io::sink())
    });
    assert!(closed.await.unwrap().is_ok(), "the worker still waits for the host");
    stop.cancel();
    running.await.unwrap();
    assert!(world.fake.workspaces().is_empty() && world.calls(Op::Up) == 0);
}

#[tokio::test]
async fn the_classes_of_faults_decide_about_trying_again() {
    let world = World::new().await;
    let image = ImageRef::new("debian");
    for (class, pulls) in [(Class::Transient, 3), (Class::Permanent, 1), (Class::Denied, 1)] {
        let before = world.calls(Op::Pull);
        let id = world.workspace(&world.configured(&format!("c{pulls}{class:?}"), plain())).await;
        for _ in 0..pulls {
            let reason = "no".to_owned();
            world.fake.fail_next(Op::Pull, RuntimeError::Pull { image: image.clone(), reason, class });
        }
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Failed));
        assert_eq!(world.calls(Op::Pull) - before, pulls);
        assert_eq!(world.load(id).await.failure.unwrap().retryable, class == Class::Transient);
    }
}
