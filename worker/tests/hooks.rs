//! Lifecycle hooks that fail, hang, stay or are interrupted: people come in all the same, and each hook runs once.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use steading_core::{Desired, Phase, WorkspaceId};
use steading_store::Store;
use steading_worker::{Rest, Worker};
use world::World;

async fn opened(world: &World, name: &str, configuration: &str) -> WorkspaceId {
    let id = world.workspace(&world.configured(name, configuration)).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
    id
}

#[tokio::test]
async fn no_exit_code_of_a_hook_means_more_than_that_it_failed() {
    let world = World::new().await;
    for exit in [124, 125, 141, 255] {
        let configuration = format!(r#"{{"image": "debian", "onCreateCommand": "exit {exit}"}}"#);
        let id = opened(&world, &format!("x{exit}"), &configuration).await;
        let warnings = world.load(id).await.warnings;
        let expected = format!("onCreateCommand of .devcontainer/devcontainer.json ended with exit code {exit}");
        assert_eq!((warnings.len(), warnings[0].code.as_str()), (1, "hook-failed"));
        assert_eq!(warnings[0].message, expected);
        assert_eq!(world.hooks(id).len(), 1);
        assert!(world.story(id).await.contains(&format!("onCreateCommand ended with {exit}")));
    }
}

#[tokio::test]
async fn a_hook_whose_time_is_up_is_told_and_the_workspace_opens() {
    let world = World::with(|config| config.workspace.hook_minutes = 7).await;
    let id = opened(&world, "t", r#"{"image": "debian", "postCreateCommand": "take-too-long"}"#).await;
    let ws = world.load(id).await;
    assert_eq!((ws.warnings.len(), ws.warnings[0].code.as_str()), (1, "hook-timed-out"));
    assert_eq!(
        ws.warnings[0].message,
        "postCreateCommand of .devcontainer/devcontainer.json did not end within 7 minutes"
    );
    assert!(ws.warnings[0].hint.is_some() && ws.warnings[0].output.as_ref().unwrap().contains("ran take-too-long"));
    let limit = ["--timeout", "420"].map(str::to_owned);
    let calls = world.helper.lock().unwrap().calls.clone();
    assert!(calls.iter().any(|exec| exec.command.windows(2).any(|pair| pair == limit)));
}

#[tokio::test]
async fn a_hook_that_is_interrupted_each_time_is_left_after_the_third() {
    let world = World::new().await;
    let id = opened(&world, "i", r#"{"image": "debian", "onCreateCommand": "be-killed"}"#).await;
    let ws = world.load(id).await;
    assert_eq!((ws.warnings.len(), ws.warnings[0].code.as_str()), (1, "hook-interrupted"));
    assert_eq!((world.hooks(id).len(), ws.failure, ws.retry), (3, None, None));
}

#[tokio::test]
async fn a_server_that_stays_holds_up_nothing() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "remoteEnv": {"A": "1"},
        "postStartCommand": "echo a stay", "postAttachCommand": "echo attach"}"#;
    let id = opened(&world, "s", configuration).await;
    world.store.workspaces().entered(id, chrono::Utc::now()).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.settle_by(&world.another_worker(), id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.hooks(id), ["echo a stay", "echo attach"]);
    assert_eq!(world.log(id, "hook:postStartCommand").await, ["$ echo a stay", "ran echo a stay"]);
    assert_eq!(world.load(id).await.warnings, []);
    let calls = world.helper.lock().unwrap().calls.clone();
    assert!(!calls.iter().any(|exec| exec.command.contains(&"--timeout".to_owned())), "it has no time limit");
    // Its end is told, though nobody drives the workspace.
    world.helper.lock().unwrap().over.send_replace(true);
    let told = async {
        while !world.story(id).await.contains(&"postStartCommand ended with 3".to_owned()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    assert_eq!(world.hooks(id).len(), 2);
    // The next start has a run of its own.
    world.helper.lock().unwrap().over.send_replace(false);
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    world.settle(id).await;
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    world.settle(id).await;
    assert_eq!(world.hooks(id).iter().filter(|hook| *hook == "echo a stay").count(), 2);
}

/// Drives a workspace in a process of its own, and lets that die.
async fn driven_by_one_that_dies(world: &World, id: WorkspaceId) {
    let (config, fake) = (world.config.clone(), world.fake.clone());
    let process = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = Store::open(&config).await.unwrap();
            let worker = Worker::new(config, store.clone(), Arc::new(fake)).unwrap();
            assert_eq!(worker.drive(id).await.unwrap(), Rest::Settled(Phase::Running));
            store.logs().flush(id).await.unwrap();
        });
    };
    tokio::task::spawn_blocking(process).await.unwrap();
}

/// Waits until a hook's log is this.
async fn log_comes_to(world: &World, id: WorkspaceId, expected: &[&str]) {
    let log = async || world.log(id, "hook:postStartCommand").await;
    let equal = async {
        while log().await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let equal = tokio::time::timeout(Duration::from_secs(10), equal).await;
    assert!(equal.is_ok(), "{:?}", log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_server_that_stays_goes_on_after_a_restart() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("r", r#"{"image": "debian", "postStartCommand": "echo stay"}"#)).await;
    let prints = |text: &str| world.helper.lock().unwrap().more.send_modify(|more| more.push_str(text));
    driven_by_one_that_dies(&world, id).await;
    let mut expected = vec!["$ echo stay", "ran echo stay"];
    log_comes_to(&world, id, &expected).await;

    prints("while nobody was there\n");
    driven_by_one_that_dies(&world, id).await;
    prints("and again\nin the middle of a li");
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    expected.extend(["while nobody was there", "and again"]);
    log_comes_to(&world, id, &expected).await;
    // However many look, one of them follows.
    for worker in [&world.another_worker(), &world.worker, &world.another_worker()] {
        assert_eq!(world.settle_by(worker, id).await, Rest::Settled(Phase::Running));
    }
    prints("ne\nthe end\n");
    expected.extend(["in the middle of a line", "the end"]);
    log_comes_to(&world, id, &expected).await;

    // Its end is told once, and then there is nothing left to look for.
    world.helper.lock().unwrap().over.send_replace(true);
    let ends =
        async || world.story(id).await.into_iter().filter(|line| line == "postStartCommand ended with 3").count();
    let told = async {
        while ends().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    for _ in 0..2 {
        world.settle(id).await;
        driven_by_one_that_dies(&world, id).await;
    }
    let calls = world.helper.lock().unwrap().calls.len();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.helper.lock().unwrap().calls.len(), calls, "it was asked for once more");
    log_comes_to(&world, id, &expected).await;
    assert_eq!((ends().await, world.hooks(id).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_said_and_how_it_ended_while_nobody_was_there_is_told() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("r", r#"{"image": "debian", "postStartCommand": "echo stay"}"#)).await;
    driven_by_one_that_dies(&world, id).await;
    world.helper.lock().unwrap().more.send_replace("my last words\n".to_owned());
    world.helper.lock().unwrap().over.send_replace(true);
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    log_comes_to(&world, id, &["$ echo stay", "ran echo stay", "my last words"]).await;
    let told = async {
        while world.story(id).await.last().is_none_or(|line| line != "postStartCommand ended with 3") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    assert_eq!(world.hooks(id), ["echo stay"]);
}

#[tokio::test]
async fn a_post_start_command_that_is_waited_for_is_waited_for() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "postStartCommand": "echo stay", "waitFor": "postStartCommand"}"#;
    let id = world.workspace(&world.configured("w", configuration)).await;
    let drive = tokio::time::timeout(Duration::from_secs(7), world.worker.drive(id));
    assert!(drive.await.is_err(), "it did not wait");
    assert_eq!(world.load(id).await.phase, Phase::Initializing);
}

#[tokio::test]
async fn commands_side_by_side_all_run_whatever_they_are_called() {
    let world = World::new().await;
    let long = "install the dependencies of the front end, which are many: ";
    let script = "安装前端依赖并生成所有需要的代码文件以及测试数据然后检查它们是否都正确";
    let configuration = format!(
        r#"{{"image": "debian", "postCreateCommand":
            {{"{long} one": "echo 1", "{long} two": "echo 2", "{script}": "echo 3", "a b/c": "echo 4"}}}}"#
    );
    let id = opened(&world, "k", &configuration).await;
    let mut hooks = world.hooks(id);
    hooks.sort();
    assert_eq!(hooks, ["echo 1", "echo 2", "echo 3", "echo 4"]);
    assert_eq!(world.load(id).await.warnings, []);
}

#[tokio::test]
async fn a_gallery_that_does_not_answer_holds_up_no_hook_and_leaves_no_installer() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian", "postStartCommand": "echo start",
        "customizations": {"vscode": {"extensions": ["a.silent", "a.b"]}}}"#;
    let id = opened(&world, "g", configuration).await;
    let ws = world.load(id).await;
    let told: Vec<_> = ws.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(told, ["the extension a.silent was not installed: the gallery did not answer in time"]);
    let calls = world.helper.lock().unwrap().calls.clone();
    let runs: Vec<_> = calls.iter().filter(|exec| exec.command[1..3] == ["hook", "run"]).collect();
    assert!(runs[0].command.contains(&"echo start".to_owned()), "{runs:#?}");
    for installer in &runs[1..] {
        let at = installer.command.iter().position(|word| word == "--timeout").unwrap();
        assert!(installer.command[at + 1].parse::<u64>().unwrap() <= 600, "{installer:#?}");
    }
    assert_eq!((runs.len(), world.helper.lock().unwrap().extensions.len()), (3, 2));
}

#[tokio::test]
async fn secrets_of_the_environment_are_on_no_command_line() {
    let world = World::new().await;
    let configuration = r#"{"image": "debian",
        "remoteEnv": {"NPM_TOKEN": "s3cret", "GONE": null},
        "onCreateCommand": "echo create", "postStartCommand": "echo start", "postAttachCommand": "echo attach",
        "customizations": {"vscode": {"extensions": ["a.b"]}}}"#;
    let id = opened(&world, "e", configuration).await;
    world.store.workspaces().entered(id, chrono::Utc::now()).await.unwrap();
    world.settle(id).await;
    let calls = world.helper.lock().unwrap().calls.clone();
    let has = |exec: &&steading_core::runtime::Exec, name: &str, value: &str| {
        exec.command.windows(2).any(|pair| pair[0] == name && pair[1] == value)
    };
    let starting: Vec<_> = calls.iter().filter(|exec| has(exec, "--pass", "NPM_TOKEN")).collect();
    assert_eq!(starting.len(), 4, "three hooks and an extension: {starting:#?}");
    assert!(starting.iter().all(|exec| exec.env["NPM_TOKEN"] == "s3cret" && has(exec, "--unset", "GONE")));
    assert!(calls.iter().all(|exec| exec.command.iter().all(|word| !word.contains("s3cret"))));
}
