//! Rebuilds: what they read, what they keep, and what is left of one that fails.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "world/world.rs"]
mod world;

use std::time::Duration;

use steading_core::runtime::{Runtime as _, RuntimeError};
use steading_core::{Phase, WorkspaceId};
use steading_runtime::fake::Op;
use steading_worker::Rest;
use world::{World, git};

const PLAIN: &str = r#"{"image": "debian", "onCreateCommand": "echo a"}"#;
const BUILT: &str = r#"{"build": {"dockerfile": "Dockerfile"}}"#;
const BROKEN: &str = "FROM debian\nRUN exit 3\n";

fn edit(world: &World, id: WorkspaceId, name: &str, configuration: &str, dockerfile: &str) {
    let folder = format!("/workspaces/{name}/.devcontainer");
    world.fake.put_file(id, &format!("{folder}/devcontainer.json"), configuration);
    world.fake.put_file(id, &format!("{folder}/Dockerfile"), dockerfile);
}

async fn rebuilt(world: &World, id: WorkspaceId) -> Rest {
    world.store.workspaces().want_rebuild(id).await.unwrap();
    world.settle(id).await
}

#[tokio::test]
async fn one_that_fails_to_resolve_or_build_leaves_the_workspace_as_it_was() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("r", PLAIN)).await;
    world.settle(id).await;
    let (before, container) = (world.load(id).await, world.fake.observe(id).await.unwrap());
    for (configuration, dockerfile, step, code) in
        [("[1]", BROKEN, "resolve", "broken-configuration"), (BUILT, BROKEN, "build", "build-failed")]
    {
        edit(&world, id, "r", configuration, dockerfile);
        assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
        let after = world.load(id).await;
        assert_eq!((&after.spec, &after.facts), (&before.spec, &before.facts));
        assert_eq!((after.failure, after.retry), (None, None));
        let told: Vec<_> = after.warnings.iter().map(|w| (w.step.as_str(), w.code.as_str())).collect();
        assert_eq!(told, [(step, code)], "the last failure alone");
        assert!(after.warnings[0].hint.is_some() && after.warnings[0].message.contains("as it was before"));
        assert_eq!(world.fake.observe(id).await.unwrap(), container, "the container was touched");
    }
    let story = world.story(id).await;
    assert!(story.iter().any(|line| line.starts_with("warned build-failed")), "{story:#?}");

    edit(&world, id, "r", BUILT, "FROM debian\nUSER 1000\n");
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!((after.warnings, after.facts.last), (Vec::new(), None));
    assert_eq!(after.spec.unwrap().remote_user, "1000");
}

#[tokio::test]
async fn one_whose_container_does_not_start_brings_the_container_before_it_up_again() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("u", PLAIN)).await;
    world.settle(id).await;
    let before = world.load(id).await.spec;
    world.fake.put_file(id, "/workspaces/u/README.md", "edited");
    // The old container is gone by then.
    let fake = world.fake.clone();
    world.fake.on_point(move |point| {
        if point.op == Op::Up && point.before == "begin" && fake.calls(Op::Up) == 2 {
            fake.lose_container(id);
        }
        Box::pin(async {})
    });
    world.fake.fail_next(Op::Up, RuntimeError::Refused("no such device".to_owned()));
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!((&after.spec, &after.failure, &after.facts.last), (&before, &None, &None));
    assert_eq!((after.warnings[0].step.as_str(), after.warnings[0].code.as_str()), ("up", "engine-refused"));
    assert_eq!(world.fake.observe(id).await.unwrap().spec, before.map(|spec| spec.hash));
    assert_eq!(world.fake.file(id, "/workspaces/u/README.md").as_deref(), Some("edited"));
    assert_eq!(world.hooks(id), ["echo a", "echo a"], "it is a container like any other new one");
}

#[tokio::test]
async fn until_the_new_image_is_there_people_stay_where_they_are() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("s", PLAIN)).await;
    world.settle(id).await;
    let before = world.load(id).await;
    edit(&world, id, "s", BUILT, "FROM debian\nUSER 1000\n");
    world.fake.on_point(|point| {
        Box::pin(async move {
            if point.op == Op::Build {
                std::future::pending::<()>().await;
            }
        })
    });
    world.store.workspaces().want_rebuild(id).await.unwrap();
    let worker = world.worker.clone();
    let drive = tokio::spawn(async move { worker.drive(id).await });
    while world.calls(Op::Build) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let now = world.load(id).await;
    assert_eq!((now.phase, now.spec.is_none()), (Phase::Building, true));
    assert_eq!(now.spec_in_use(), before.spec.as_ref());
    let routes = world.store.routes();
    let route = steading_core::routes::Routes::find(&*routes, &now.slug).await.unwrap().unwrap();
    let folder = before.spec.as_ref().map(|spec| spec.workspace_folder.clone());
    assert!(route.ide_port.is_some() && route.folder == folder, "{route:?}");
    assert!(world.fake.observe(id).await.unwrap().is_up());
    drive.abort();
}

#[tokio::test]
async fn what_had_failed_before_is_nothing_to_go_back_to() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("f", r#"{"image": "debian"}"#)).await;
    world.settle(id).await;
    for _ in 0..3 {
        world.fake.end(id, 7, false);
        world.settle(id).await;
    }
    assert_eq!(world.load(id).await.phase, Phase::Failed);
    edit(&world, id, "f", BUILT, BROKEN);
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Failed));
    assert_eq!(world.load(id).await.failure.unwrap().code, "build-failed");
    edit(&world, id, "f", BUILT, "FROM debian\n");
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
}

#[tokio::test]
async fn it_reads_the_workspace_wherever_the_branch_is_by_now() {
    let world = World::new().await;
    let repository = world.configured("b", PLAIN);
    git(&repository, &["branch", "topic"]);
    let id = world.workspace_from(&format!("{}#topic", repository.display())).await;
    world.settle(id).await;
    let before = world.load(id).await.facts.resolution.unwrap();
    assert_eq!(before.branch.as_deref(), Some("topic"));

    // Upstream goes on, with another configuration that needs a file nobody here has.
    std::fs::write(repository.join(".devcontainer/devcontainer.json"), BUILT).unwrap();
    git(&repository, &["commit", "--quiet", "--all", "--message=second"]);
    git(&repository, &["branch", "--force", "topic", "main"]);
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
    let after = world.load(id).await;
    assert_eq!((after.facts.resolution.unwrap(), after.warnings), (before.clone(), Vec::new()));

    git(&repository, &["branch", "--quiet", "-D", "topic"]);
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
    assert_eq!(world.load(id).await.facts.resolution.unwrap(), before);

    // Even the whole repository may be gone.
    std::fs::rename(&repository, world.folder.path().join("away")).unwrap();
    edit(&world, id, "b", BUILT, "FROM debian\nUSER 1000\n");
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
    let after = world.load(id).await;
    assert_eq!((after.warnings, after.spec.unwrap().remote_user.as_str()), (Vec::new(), "1000"));
}

#[tokio::test]
async fn files_out_of_reach_are_told_and_the_commit_is_used() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("o", PLAIN)).await;
    world.settle(id).await;
    edit(&world, id, "o", BUILT, BROKEN);
    world.fake.lose_container(id);
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!(after.warnings, []);
    assert!(world.story(id).await.contains(&"warning files-out-of-reach".to_owned()));
}

#[tokio::test]
async fn a_dockerfile_and_a_context_anywhere_in_the_workspace_are_found() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("d", PLAIN)).await;
    world.settle(id).await;
    let files = [
        (".devcontainer/devcontainer.json", r#"{"build": {"dockerfile": "../docker/Dev", "context": "../app"}}"#),
        ("docker/Dev", "FROM debian\nUSER 1000\n"),
        ("app/main.c", "c"),
        ("app/.dockerignore", "large\n"),
        ("app/large", "x"),
    ];
    for (path, content) in files {
        world.fake.put_file(id, &format!("/workspaces/d/{path}"), content);
    }
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!((after.warnings, after.spec.unwrap().remote_user.as_str()), (Vec::new(), "1000"));
}

const A: &str = ".devcontainer/a/devcontainer.json";
const B: &str = ".devcontainer/b/devcontainer.json";

async fn rebuilt_from(world: &World, id: WorkspaceId, config: &str) -> Rest {
    world.store.workspaces().want_rebuild_from(id, config.to_owned()).await.unwrap();
    world.settle(id).await
}

#[tokio::test]
async fn a_configuration_that_was_chosen_stays_chosen_unless_its_rebuild_fails() {
    let world = World::new().await;
    let files = [(A, r#"{"image": "one"}"#), (B, r#"{"image": "two"}"#)];
    let id = world.workspace(&world.repository("c", &files)).await;
    world.settle(id).await;
    let used = async || world.load(id).await.facts.resolution.unwrap().configuration().unwrap().to_owned();
    assert_eq!(used().await, A);

    assert_eq!(rebuilt_from(&world, id, B).await, Rest::Settled(Phase::Running));
    assert_eq!(used().await, B);
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    assert_eq!(used().await, B, "it stays chosen");

    // One that is not there takes nothing away, and is not chosen.
    assert_eq!(rebuilt_from(&world, id, "nowhere").await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!(after.warnings[0].code, "configuration-not-found");
    assert!(after.warnings[0].hint.as_ref().unwrap().contains(A), "{:?}", after.warnings);
    assert_eq!(after.wishes.config.as_deref(), Some(B));
    assert_eq!((rebuilt(&world, id).await, used().await.as_str()), (Rest::Settled(Phase::Running), B));
}

#[tokio::test]
async fn configurations_behind_symbolic_links_are_found_and_followed() {
    let world = World::new().await;
    for (name, link, target, configuration) in [
        ("l", ".devcontainer.json", "conf/dev.json", "conf/dev.json"),
        ("m", ".devcontainer", "conf", "conf/devcontainer.json"),
    ] {
        let repository = world.repository(name, &[(configuration, PLAIN), ("README.md", "# hello\n")]);
        std::os::unix::fs::symlink(target, repository.join(link)).unwrap();
        git(&repository, &["add", "--all"]);
        git(&repository, &["commit", "--quiet", "--message=second"]);
        let id = world.workspace(&repository).await;
        world.settle(id).await;
        let before = world.load(id).await.facts.resolution;
        assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
        let after = world.load(id).await;
        assert_eq!((after.facts.resolution, after.warnings), (before, Vec::new()), "{name}");

        let edited = r#"{"image": "debian", "remoteUser": "1000"}"#;
        world.fake.put_file(id, &format!("/workspaces/{name}/{configuration}"), edited);
        assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running), "{:?}", world.load(id).await.failure);
        assert_eq!(world.load(id).await.spec.unwrap().remote_user, "1000", "{name}");
    }
    // A link that was made since, and one that leads out.
    let id = world.workspace(&world.configured("n", PLAIN)).await;
    world.settle(id).await;
    world.fake.put_file(id, "/workspaces/n/conf/dev.json", r#"{"image": "debian", "remoteUser": "1000"}"#);
    world.fake.put_link(id, "/workspaces/n/.devcontainer/devcontainer.json", "../conf/dev.json");
    world.fake.put_link(id, "/workspaces/n/.devcontainer/passwd", "../../../etc/passwd");
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    let after = world.load(id).await;
    assert_eq!((after.warnings, after.spec.unwrap().remote_user.as_str()), (Vec::new(), "1000"));
}

#[tokio::test]
async fn what_is_large_in_the_place_of_configurations_hides_none() {
    let world = World::new().await;
    let id = world.workspace(&world.configured("w", PLAIN)).await;
    world.settle(id).await;
    edit(&world, id, "w", r#"{"image": "debian", "remoteUser": "1000"}"#, "");
    world.fake.put_file(id, "/workspaces/w/.devcontainer/a model", &"x".repeat(17 << 20));
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.load(id).await.spec.unwrap().remote_user, "1000");
    let story = world.story(id).await;
    assert!(!story.iter().any(|line| line.starts_with("warning")), "{story:#?}");

    for number in 0..20_001 {
        world.fake.put_file(id, &format!("/workspaces/w/.devcontainer/node_modules/{number}"), "");
    }
    assert_eq!(rebuilt(&world, id).await, Rest::Settled(Phase::Running));
    assert_eq!(world.load(id).await.spec.unwrap().remote_user, "root", "it is the commit's");
    assert!(world.story(id).await.contains(&"warning configuration-too-large".to_owned()));
}
