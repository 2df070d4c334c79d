use chrono::Utc;
use devcontainer::{Layer, Origin, Properties, run_args};
use serde_json::{Value, json};

use super::*;
use crate::config::Policy;
use crate::policy::admit;
use crate::resolution::{ImageSource, Resolution, ResolutionKind};
use crate::workspace::{Desired, Facts, Generation, Owner, Phase, Wishes};
use crate::{Source, UserId, WorkspaceId};

fn workspace() -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        slug: "quiet-fox-7k2p".parse().unwrap(),
        owner: Owner::User(UserId::new()),
        source: Source::Empty,
        wishes: Wishes::default(),
        runtime: crate::runtime::RuntimeId::default(),
        desired: Desired::Running,
        generation: Generation::default(),
        rebuilds: 0,
        spec: None,
        phase: Phase::Pending,
        facts: Facts::default(),
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits: Limits { cpus: 2.0, memory: 4 << 30, processes: 100 },
        entered_at: None,
        created_at: Utc::now(),
        updated_at: Utc::now(),
    }
}

fn info() -> ImageInfo {
    ImageInfo {
        id: "sha256:1".to_owned(),
        user: "node".to_owned(),
        entrypoint: vec!["/entry".to_owned()],
        command: vec!["serve".to_owned()],
        folder: "/app".to_owned(),
        ..ImageInfo::default()
    }
}

fn rendered(configuration: Value, workspace: &Workspace) -> (PodSpec, Vec<String>) {
    let properties: Properties = serde_json::from_value(configuration).unwrap();
    let merged = devcontainer::merge(&[Layer { origin: Origin::File("devcontainer.json".into()), properties }]);
    let args = run_args::parse(&merged.run_args);
    let (admitted, _) = admit("devcontainer.json", &merged, &args, &Policy::default());
    let tools = [ToolMount { name: "ide-1".to_owned(), target: "/opt/steading/ide".to_owned() }];
    let config = Config::default();
    let image = ImageRef::new("sha256:1");
    let setting = Setting { workspace, image: &image, info: &info(), config: &config, tools: &tools };
    let (spec, notes) = render(&admitted, &setting);
    (spec, notes.into_iter().map(|n| n.code).collect())
}

fn spec(configuration: Value) -> PodSpec {
    rendered(configuration, &workspace()).0
}

fn told_of(spec: &PodSpec) -> Inside {
    serde_json::from_str(&spec.main.env[inside::VARIABLE]).unwrap()
}

#[test]
fn a_link_to_a_folder_opens_it_and_hooks_run_where_they_always_do() {
    let mut workspace = workspace();
    workspace.facts.resolution = Some(Resolution {
        commit: None,
        branch: None,
        path: Some("docs/guide/a.md".to_owned()),
        folder: Some("docs/guide".to_owned()),
        config_hash: None,
        kind: ResolutionKind::Template { template: "universal".to_owned() },
        image: ImageSource::Pull { image: ImageRef::new("a") },
        config: Box::default(),
        because: String::new(),
        choices: Vec::new(),
        diagnostics: Vec::new(),
    });
    let (spec, _) = rendered(json!({}), &workspace);
    assert_eq!(
        (spec.opened(), spec.workspace_folder.as_str()),
        ("/workspaces/workspace/docs/guide", "/workspaces/workspace")
    );
    assert_eq!(told_of(&spec).service.unwrap().args.last().unwrap(), "/workspaces/workspace/docs/guide");
    // The configuration's own word counts more.
    let (spec, _) = rendered(json!({"workspaceFolder": "/workspaces/workspace/app"}), &workspace);
    assert_eq!(spec.opened(), "/workspaces/workspace/app");
    assert_eq!(told_of(&spec).service.unwrap().args.last().unwrap(), "/workspaces/workspace/app");
}

#[test]
fn nothing_configured_gives_an_ide_as_the_images_user() {
    let (spec, notes) = rendered(json!({}), &workspace());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!((spec.remote_user.as_str(), spec.workspace_folder.as_str()), ("node", "/workspaces/workspace"));
    assert_eq!((spec.main.user.as_str(), spec.main.entrypoint.len(), spec.main.init), ("0", 0, true));
    let told = told_of(&spec);
    assert_eq!(told.uid, Some(inside::Ids { user: "node".into(), uid: 1000, gid: 1000 }));
    assert_eq!((told.gate, told.command), (None, None));
    let ide = told.service.unwrap();
    assert_eq!((ide.user.as_str(), ide.probe.as_deref()), ("node", Some("loginInteractiveShell")));
    assert_eq!(ide.env["VSCODE_PROXY_URI"], "http://{{port}}-quiet-fox-7k2p.localhost:8080/");
    assert_eq!(spec.main.env["STEADING_URL"], "http://quiet-fox-7k2p.localhost:8080/");
    assert_eq!(spec.main.mounts.len(), 3);
}

#[test]
fn only_a_named_user_that_is_not_root_gets_other_ids() {
    for (configuration, has) in [
        (json!({"remoteUser": "root"}), false),
        (json!({"remoteUser": "1001"}), false),
        (json!({"remoteUser": "ada:staff"}), true),
        (json!({"updateRemoteUserUID": false}), false),
        (json!({"containerUser": "0:0"}), false),
    ] {
        assert_eq!(told_of(&spec(configuration.clone())).uid.is_some(), has, "{configuration}");
    }
}

#[test]
fn the_gate_is_shut_only_for_hooks_that_people_wait_for() {
    for (configuration, shut) in [
        (json!({"postCreateCommand": "a"}), false),
        (json!({"onCreateCommand": "a"}), true),
        (json!({"onCreateCommand": "a", "waitFor": "initializeCommand"}), false),
        (json!({"postCreateCommand": "a", "waitFor": "postCreateCommand"}), true),
        (json!({"postStartCommand": "a", "waitFor": "postAttachCommand"}), true),
        (json!({"postAttachCommand": "a", "waitFor": "postAttachCommand"}), false),
    ] {
        assert_eq!(told_of(&spec(configuration.clone())).gate.is_some(), shut, "{configuration}");
    }
}

#[test]
fn the_images_command_is_kept_when_asked() {
    let kept = told_of(&spec(json!({"overrideCommand": false}))).command.unwrap();
    assert_eq!((kept.args, kept.cwd.as_deref()), (vec!["/entry".to_owned(), "serve".to_owned()], Some("/app")));
    assert_eq!(kept.user, "node");
    let other = spec(json!({"overrideCommand": false, "runArgs": ["--entrypoint", "/other", "-u", "root"]}));
    let other = told_of(&other).command.unwrap();
    assert_eq!((other.args, other.user.as_str()), (vec!["/other".to_owned()], "root"));
}

#[test]
fn the_repository_is_where_the_mount_says() {
    let mount = "type=bind,source=/home/me/x,target=/src/";
    let (spec, notes) = rendered(json!({"workspaceMount": mount, "workspaceFolder": "/src/app"}), &workspace());
    assert_eq!((spec.workspace_root.as_str(), spec.workspace_folder.as_str()), ("/src", "/src/app"));
    assert_eq!(notes, Vec::<String>::new());
    for (configuration, code) in [
        (json!({"workspaceMount": ""}), "workspace-mount-empty"),
        (json!({"workspaceMount": "type=volume,target=/"}), "workspace-mount-unusable"),
        (json!({"workspaceMount": "type=volume,target=/opt/steading/x"}), "workspace-mount-unusable"),
        (json!({"workspaceMount": "nonsense"}), "workspace-mount-unusable"),
        (json!({"workspaceFolder": "/elsewhere"}), "workspace-folder-outside"),
    ] {
        let (spec, notes) = rendered(configuration.clone(), &workspace());
        assert_eq!(
            (spec.workspace_root.as_str(), notes),
            ("/workspaces/workspace", vec![code.to_owned()]),
            "{configuration}"
        );
    }
}

#[test]
fn limits_can_be_narrowed_and_never_widened() {
    let (spec, notes) = rendered(json!({"runArgs": ["--cpus=1", "--memory=64g", "--pids-limit=-1"]}), &workspace());
    assert_eq!(spec.limits, Limits { cpus: 1.0, memory: 4 << 30, processes: 100 });
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(rendered(json!({"hostRequirements": {"cpus": 16}}), &workspace()).1, ["host-requirements-unmet"]);
}

#[test]
fn arguments_mounts_and_environments_arrive() {
    let spec = spec(json!({
        "containerEnv": {"A": "1", "STEADING": "0"},
        "remoteEnv": {"B": "2", "C": null},
        "mounts": ["type=volume,source=cache,target=/home/node/.cache", {"type": "volume", "target": "/data"}],
        "runArgs": ["--shm-size=1g", "--ulimit", "nofile=1:2", "--hostname=box", "-eD=4", "--sysctl=net.a=1"],
    }));
    let main = &spec.main;
    assert_eq!((main.env["A"].as_str(), main.env["D"].as_str(), main.env["STEADING"].as_str()), ("1", "4", "1"));
    assert_eq!((main.shm_size, main.ulimits["nofile"], main.hostname.as_str()), (Some(1 << 30), (1, 2), "box"));
    assert_eq!(main.sysctls["net.a"], "1");
    assert_eq!((spec.remote_env["B"].as_deref(), spec.remote_env["C"].as_deref()), (Some("2"), None));
    assert_eq!(spec.services[0].env["B"], "2");
    let named: Vec<&str> = main
        .mounts
        .iter()
        .filter_map(|m| if let Mount::Named { name, .. } = m { Some(name.as_str()) } else { None })
        .collect();
    assert_eq!(named, ["cache", "quiet-fox-7k2p-data"]);
    assert!(told_of(&spec).home_paths_to_chown.contains(&"/home/node/.cache".to_owned()));
}

#[test]
fn a_container_without_capabilities_has_those_of_the_helper() {
    let hardened = spec(json!({"runArgs": ["--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"]}));
    assert_eq!(hardened.main.cap_drop, ["ALL"]);
    assert!(hardened.main.cap_add.contains(&"SETUID".to_owned()), "{:?}", hardened.main.cap_add);
    let told = told_of(&hardened).drop;
    assert!(told.contains(&"SETUID".to_owned()) && !told.contains(&"NET_BIND_SERVICE".to_owned()), "{told:?}");
    assert!(!spec(json!({})).main.env["STEADING_INSIDE"].contains("drop"), "nobody asked");
}

#[test]
fn a_rebuild_is_a_new_container_and_a_claim_is_not() {
    let mut ws = workspace();
    let before = rendered(json!({}), &ws).0.hash;
    ws.owner = Owner::User(UserId::new());
    ws.generation.0 += 1;
    assert_eq!(rendered(json!({}), &ws).0.hash, before);
    ws.rebuilds += 1;
    assert_ne!(rendered(json!({}), &ws).0.hash, before);
}
