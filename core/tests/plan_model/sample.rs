//! Records of which nothing but their being there matters.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use steading_core::image::ImageRef;
use steading_core::pod::{ContainerName, ContainerSpec, PodSpec, SpecHash, VolumeRole};
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};
use steading_core::runtime::RuntimeId;
use steading_core::service::{Service, ServiceName};
use steading_core::workspace::{Limits, Wishes};
use steading_core::{Desired, Facts, Failure, Generation, Owner, Phase, Slug, Source, UserId, Workspace, WorkspaceId};

/// The start of the container that is there; everything else is told from it.
pub const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_700_000_000_000_000_000);

pub fn failure() -> Failure {
    Failure {
        step: "up".to_owned(),
        code: "x".to_owned(),
        message: "x".to_owned(),
        hint: None,
        retryable: false,
        output: None,
    }
}

pub fn spec(id: WorkspaceId) -> PodSpec {
    let service = Service {
        name: ServiceName::ide(),
        port: 1,
        ready_path: "/".to_owned(),
        user: "root".to_owned(),
        command: Vec::new(),
        env: BTreeMap::new(),
        folder: "/".to_owned(),
    };
    let main = ContainerSpec {
        name: ContainerName::main(),
        image: ImageRef::new("image"),
        user: "0".to_owned(),
        entrypoint: Vec::new(),
        command: Vec::new(),
        folder: None,
        env: BTreeMap::new(),
        mounts: Vec::new(),
        init: true,
        privileged: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        devices: Vec::new(),
        security_opt: Vec::new(),
        hostname: "fox".to_owned(),
        extra_hosts: Vec::new(),
        shm_size: None,
        group_add: Vec::new(),
        ulimits: BTreeMap::new(),
        sysctls: BTreeMap::new(),
        labels: BTreeMap::new(),
    };
    PodSpec {
        workspace: id,
        slug: Slug::random(),
        main,
        sidecars: Vec::new(),
        volumes: vec![VolumeRole::Workspace, VolumeRole::State],
        services: vec![service],
        limits: Limits::default(),
        remote_user: "root".to_owned(),
        workspace_folder: "/".to_owned(),
        linked_folder: None,
        workspace_root: "/".to_owned(),
        remote_env: BTreeMap::new(),
        env_probe: "none".to_owned(),
        hash: SpecHash::default(),
    }
    .sealed()
}

pub fn resolution() -> Resolution {
    Resolution {
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
    }
}

pub fn workspace() -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        slug: Slug::random(),
        owner: Owner::User(UserId::new()),
        source: Source::Empty,
        wishes: Wishes::default(),
        runtime: RuntimeId::default(),
        desired: Desired::Running,
        generation: Generation::default(),
        rebuilds: 0,
        spec: None,
        phase: Phase::Pending,
        facts: Facts { resolution: Some(resolution()), ..Facts::default() },
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits: Limits::default(),
        entered_at: None,
        created_at: START,
        updated_at: START,
    }
}
