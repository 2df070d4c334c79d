//! From a URL to Running, and every turn it can take.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use steading_core::config::Credential;
use steading_core::pod::VolumeRole;
use steading_core::runtime::Runtime as _;
use steading_core::secret::Secret;
use steading_core::{Desired, Phase, Slug, Source, WorkspaceId};
use steading_runtime::fake::Op;
use steading_worker::Rest;
use world::World;

const HOOKS: &str = r#"{
    "image": "debian",
    "remoteUser": "1000",
    "onCreateCommand": "echo create",
    "updateContentCommand": ["echo", "update"],
    "postCreateCommand": {"one": "echo 1", "two": "echo 2"},
    "postStartCommand": "echo start",
    "postAttachCommand": "echo attach",
    "customizations": {"vscode": {"settings": {"a": 1}, "extensions": ["a.b", "c.missing"]}}
}"#;

#[tokio::test]
async fn a_url_becomes_a_running_workspace_with_its_repository() {
    let world = World::new().await;
    let repository = world.configured("plain", r#"{"image": "debian"}"#);
    let id = world.workspace(&repository).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    insta::assert_yaml_snapshot!(world.story(id).await);
    let ws = world.load(id).await;
    assert_eq!((ws.failure, ws.warnings, ws.retry), (None, vec![], None));
    assert_eq!(world.fake.file(id, "/workspaces/plain/README.md").as_deref(), Some("# hello\n"));
    assert!(world.fake.file(id, "/workspaces/plain/.git/HEAD").is_some());
    assert_eq!(world.fake.file(id, "/workspaces/plain/.git/steading").as_deref(), Some("whole\n"));
    assert_eq!((world.calls(Op::Up), world.calls(Op::Upload)), (1, 1));
    assert_eq!(world.log(id, "container").await, ["Starting the container from debian"]);
}

#[tokio::test]
async fn hooks_run_in_their_order_and_settings_and_extensions_follow() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("hooks", HOOKS)).await;
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.hooks(id), ["echo create", "echo update", "echo 1", "echo 2", "echo start"]);
    insta::assert_yaml_snapshot!(world.story(id).await);
    let settings = world.fake.file(id, "/var/lib/steading/ide/Machine/settings.json").unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&settings).unwrap(), serde_json::json!({"a": 1}));
    assert_eq!(world.helper.lock().unwrap().extensions, ["a.b", "c.missing"]);
    assert!(world.log(id, "hook:postCreateCommand").await.contains(&"ran echo 2".to_owned()));
}

#[tokio::test]
async fn a_workspace_stops_starts_and_keeps_its_files() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("again", HOOKS)).await;
    world.settle(id).await;
    world.fake.put_file(id, "/workspaces/again/README.md", "edited");
    world.store.workspaces().want(id, Desired::Stopped).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Stopped));
    world.store.workspaces().want(id, Desired::Running).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.fake.file(id, "/workspaces/again/README.md").as_deref(), Some("edited"));
    // Hooks of the container do not run again, the one of the start does.
    let hooks = world.hooks(id);
    assert_eq!(hooks[4..], ["echo start", "echo start"]);
    assert_eq!(world.load(id).await.facts.deaths.count, 0);
}

#[tokio::test]
async fn attaching_runs_its_hook_once_for_each_entry() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("attach", HOOKS)).await;
    world.settle(id).await;
    for entries in 1..3 {
        world.store.workspaces().entered(id, chrono::Utc::now()).await.unwrap();
        world.settle(id).await;
        world.settle(id).await;
        assert_eq!(world.hooks(id).iter().filter(|c| *c == "echo attach").count(), entries);
    }
}

#[tokio::test]
async fn a_deleted_workspace_leaves_nothing() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("gone", HOOKS)).await;
    world.settle(id).await;
    world.store.workspaces().want(id, Desired::Deleted).await.unwrap();
    assert_eq!(world.settle(id).await, Rest::Settled(Phase::Deleted));
    assert_eq!(world.fake.workspaces(), []);
    assert!(world.store.workspaces().load(id).await.is_err());
    assert_eq!(world.worker.drive(id).await.unwrap(), Rest::Busy);
    assert!(world.story(id).await.is_empty());
}

#[tokio::test]
async fn a_repository_without_a_configuration_gets_a_template() {
    let world = World::new().await;
    let id = world.workspace(&world.repository("cargo", &[("Cargo.toml", "[package]\n")])).await;
    world.settle(id).await;
    let ws = world.load(id).await;
    assert_eq!(ws.phase, Phase::Running, "{:?}", ws.failure);
    assert!(world.story(id).await[2].contains("Rust"), "{:?}", world.story(id).await);
}

#[tokio::test]
async fn a_dockerfile_is_built_once_for_all_workspaces_of_a_commit() {
    let world = World::new().await;
    let files = [
        (".devcontainer/devcontainer.json", r#"{"build": {"dockerfile": "Dockerfile", "context": ".."}}"#),
        (".devcontainer/Dockerfile", "FROM debian\nENV A=1\nUSER 1000\n"),
    ];
    let repository = world.repository("built", &files);
    for _ in 0..2 {
        let id = world.workspace(&repository).await;
        assert_eq!(world.settle(id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
        assert_eq!(world.load(id).await.spec.unwrap().remote_user, "1000");
    }
    assert_eq!(world.calls(Op::Build), 1);
}

#[tokio::test]
async fn credentials_are_handed_over_once_for_each_start() {
    let given = Credential { password: Secret::new("token".to_owned()), in_workspaces: true, ..Credential::default() };
    let world = World::with(|config| drop(config.source.credentials.insert("h.example".to_owned(), given))).await;
    let made = world.workspace(&world.configured("k", r#"{"image": "debian"}"#)).await;
    world.settle(made).await;
    // The same as if it had come from a host that is out of reach here.
    let mut ws = world.load(made).await;
    ws.id = WorkspaceId::new();
    ws.slug = Slug::random();
    ws.source = Source::parse("https://h.example/g/k", false).unwrap();
    let spec = ws.spec.as_mut().unwrap();
    spec.workspace = ws.id;
    world.fake.up(spec).await.unwrap();
    let seen = world.fake.observe(ws.id).await.unwrap();
    ws.facts.populated.as_mut().unwrap().volume = seen.volumes[&VolumeRole::Workspace].clone();
    world.store.workspaces().insert(&ws).await.unwrap();
    let delivered = || {
        let calls = world.helper.lock().unwrap().calls.clone();
        calls.iter().filter(|exec| exec.command.contains(&"deliver".to_owned())).count()
    };
    for _ in 0..3 {
        assert_eq!(world.settle(ws.id).await, Rest::Settled(Phase::Running));
    }
    assert_eq!(delivered(), 1);
    world.store.workspaces().want(ws.id, Desired::Stopped).await.unwrap();
    world.settle(ws.id).await;
    world.store.workspaces().want(ws.id, Desired::Running).await.unwrap();
    world.settle(ws.id).await;
    assert_eq!(delivered(), 2, "they are gone when a container stops");
}
