//! A spec that another version stored keeps its name, so that an upgrade replaces no running container.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use steading_core::image::ImageRef;
use steading_core::plan::{self, Step};
use steading_core::pod::{ContainerName, PodSpec, SpecHash, VolumeRole};
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};
use steading_core::runtime::{ContainerState, InstanceId, Observed, RuntimeId, VolumeId};
use steading_core::service::ServiceName;
use steading_core::workspace::{HeldImage, HookFact, Limits, Populated, Wishes};
use steading_core::{Desired, Facts, Generation, Merged, Owner, Phase, Slug, Source, Stage, UserId, Workspace};

/// As a version wrote it that knew neither `cap_drop` nor `devices`, and one thing that was given up since.
/// Never edit it: a field that is added to a spec has a default, or this no longer loads.
const STORED: &str = r#"{
  "workspace": "ws_01jd7k2m4qexn8r3t5v6w7x8y9",
  "slug": "quiet-fox-7k2p",
  "main": {
    "name": "main", "image": "sha256:2f1c", "user": "0", "entrypoint": [],
    "command": ["/opt/steading/bin/inside", "main"], "folder": null, "env": {"A": "1"},
    "mounts": [
      {"kind": "own", "role": "workspace", "target": "/workspaces/r"},
      {"kind": "own", "role": "state", "target": "/var/lib/steading"},
      {"kind": "named", "name": "cache", "target": "/cache", "read_only": false},
      {"kind": "tmpfs", "target": "/scratch", "size": 1048576},
      {"kind": "tools", "name": "steading-1-tools-2", "target": "/opt/steading/ide"}
    ],
    "init": true, "privileged": false, "cap_add": ["SYS_PTRACE"], "security_opt": ["seccomp=unconfined"],
    "hostname": "quiet-fox-7k2p", "extra_hosts": [], "shm_size": null, "group_add": [],
    "ulimits": {"nofile": [1024, 2048]}, "sysctls": {}, "labels": {}, "given_up_since": {"a": [1]}
  },
  "sidecars": [],
  "volumes": ["workspace", "state"],
  "services": [{
    "name": "ide", "port": 8080, "ready_path": "/?folder=/", "user": "root", "command": ["ide"], "env": {},
    "folder": "/workspaces/r"
  }],
  "limits": {"cpus": 2.0, "memory": 8589934592, "processes": 4096},
  "remote_user": "root", "workspace_folder": "/workspaces/r", "workspace_root": "/workspaces/r",
  "remote_env": {"B": null}, "env_probe": "loginInteractiveShell", "given_up_since": true,
  "hash": "00c0ffee00c0ffee"
}"#;

const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_700_000_000_000_000_000);

#[test]
fn a_spec_that_another_version_stored_keeps_its_name_and_its_container() {
    let id = steading_core::WorkspaceId::new();
    let spec: PodSpec =
        serde_json::from_str(&STORED.replace("ws_01jd7k2m4qexn8r3t5v6w7x8y9", &id.to_string())).unwrap();
    let recorded = SpecHash("00c0ffee00c0ffee".to_owned());
    assert_eq!(spec.hash, recorded);
    assert_ne!(spec.clone().sealed().hash, recorded, "what is computed today is another one");
    let again: PodSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);

    let ws = workspace(spec);
    let seen = container(recorded);
    assert_eq!(plan::next(&ws, &seen, Utc::now()), Step::Settle(Phase::Running));
}

#[test]
fn a_name_covers_everything_but_itself() {
    let spec: PodSpec = serde_json::from_str(
        &STORED.replace("ws_01jd7k2m4qexn8r3t5v6w7x8y9", &steading_core::WorkspaceId::new().to_string()),
    )
    .unwrap();
    let sealed = spec.sealed();
    assert_eq!(sealed.clone().sealed(), sealed);
    let mut other = sealed.clone();
    other.main.hostname = "another".to_owned();
    assert_ne!(other.sealed().hash, sealed.hash);
}

/// One that came to rest with this spec.
fn workspace(spec: PodSpec) -> Workspace {
    let volume = |name: &str| VolumeId(name.to_owned());
    let facts = Facts {
        resolution: Some(Resolution {
            commit: None,
            branch: None,
            path: None,
            folder: None,
            config_hash: None,
            kind: ResolutionKind::Template { template: "universal".to_owned() },
            image: ImageSource::Pull { image: ImageRef::new("image") },
            config: Box::default(),
            because: "a test says so".to_owned(),
            choices: Vec::new(),
            diagnostics: Vec::new(),
        }),
        image: Some(HeldImage { image: ImageRef::new("image"), config: Box::new(Merged::default()) }),
        populated: Some(Populated {
            volume: volume("workspace"),
            commit: None,
            branch: None,
            path: None,
            submodules: Vec::new(),
        }),
        hooks: Some(HookFact { instance: InstanceId("this".to_owned()), stage: Stage::PostCreate, failed: None }),
        post_start: Some((InstanceId("this".to_owned()), START)),
        extensions: Some(volume("state")),
        ..Facts::default()
    };
    Workspace {
        id: spec.workspace,
        slug: Slug::random(),
        owner: Owner::User(UserId::new()),
        source: Source::Empty,
        wishes: Wishes::default(),
        runtime: RuntimeId::default(),
        desired: Desired::Running,
        generation: Generation::default(),
        rebuilds: 0,
        spec: Some(spec),
        phase: Phase::Running,
        facts,
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits: Limits::default(),
        entered_at: None,
        created_at: START,
        updated_at: START,
    }
}

fn container(spec: SpecHash) -> Observed {
    Observed {
        containers: BTreeMap::from([(ContainerName::main(), ContainerState::Up)]),
        instance: Some(InstanceId("this".to_owned())),
        spec: Some(spec),
        started_at: Some(START),
        volumes: BTreeMap::from([
            (VolumeRole::Workspace, VolumeId("workspace".to_owned())),
            (VolumeRole::State, VolumeId("state".to_owned())),
        ]),
        services: BTreeMap::from([(ServiceName::ide(), true)]),
    }
}
