//! One workspace in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use steading_core::pod::{ContainerName, Mount, PodSpec, VolumeRole};
use steading_core::runtime::{ContainerState, InstanceId, Observed, VolumeId};

use super::archive::{Entry, Files};

/// A volume and what is on it.
#[derive(Debug)]
pub struct Volume {
    pub id: VolumeId,
    pub files: Files,
}

/// Containers and volumes of one workspace.
#[derive(Debug, Default)]
pub struct Pod {
    pub spec: Option<Box<PodSpec>>,
    pub containers: BTreeMap<ContainerName, ContainerState>,
    pub instance: Option<InstanceId>,
    pub started_at: Option<DateTime<Utc>>,
    pub volumes: BTreeMap<VolumeRole, Volume>,
    /// Volumes that the configuration names.
    pub named: BTreeMap<String, Files>,
    /// What is in the container and on no volume.
    pub files: Files,
    /// Ports that were opened or closed by hand.
    pub ports: BTreeMap<u16, bool>,
    pub output: Vec<String>,
    /// The last size that a terminal was given.
    pub terminal: Option<(u16, u16)>,
}

impl Pod {
    pub fn main(&self) -> Option<&ContainerState> {
        self.containers.get(&ContainerName::main())
    }

    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty()
    }

    /// Whether a container is made from this image.
    pub fn is_of(&self, image: &str) -> bool {
        self.main().is_some() && self.spec.as_ref().is_some_and(|spec| spec.main.image.as_str() == image)
    }

    pub fn observed(&self) -> Observed {
        let there = self.main().is_some();
        Observed {
            containers: self.containers.clone(),
            instance: self.instance.clone().filter(|_| there),
            spec: self.spec.as_ref().filter(|_| there).map(|spec| spec.hash.clone()),
            started_at: self.started_at.filter(|_| there),
            volumes: self.volumes.iter().map(|(role, volume)| (*role, volume.id.clone())).collect(),
            services: BTreeMap::new(),
        }
    }

    /// A new container of this spec, made and not started.
    pub fn create(&mut self, spec: &PodSpec, instance: InstanceId) {
        let made = ContainerState::Down { exit: None, oom: false, finished_at: None };
        self.containers = std::iter::once(&spec.main)
            .chain(&spec.sidecars)
            .map(|container| (container.name.clone(), made.clone()))
            .collect();
        for container in std::iter::once(&spec.main).chain(&spec.sidecars) {
            for mount in &container.mounts {
                if let Mount::Named { name, .. } = mount {
                    self.named.entry(name.clone()).or_default();
                }
            }
        }
        self.spec = Some(Box::new(spec.clone()));
        self.instance = Some(instance);
        self.started_at = None;
        self.files = Files::new();
        self.output.clear();
    }

    pub fn start(&mut self, now: DateTime<Utc>) {
        self.started_at = Some(now);
        self.ports.clear();
        self.output.push("started".to_owned());
        for state in self.containers.values_mut() {
            *state = ContainerState::Up;
        }
    }

    pub fn stop(&mut self, now: DateTime<Utc>, exit: i64, oom: bool) {
        for state in self.containers.values_mut() {
            if !matches!(state, ContainerState::Down { .. }) {
                *state = ContainerState::Down { exit: Some(exit), oom, finished_at: Some(now) };
            }
        }
    }

    /// Freezes what runs, or thaws what is frozen.
    pub fn freeze(&mut self, freeze: bool) {
        for state in self.containers.values_mut() {
            match state {
                ContainerState::Up if freeze => *state = ContainerState::Paused,
                ContainerState::Paused if !freeze => *state = ContainerState::Up,
                _ => {}
            }
        }
    }

    /// Whether something listens on a port.
    pub fn listens(&self, port: u16) -> bool {
        let service = self.spec.as_ref().is_some_and(|spec| spec.services.iter().any(|s| s.port == port));
        self.ports.get(&port).copied().unwrap_or(service)
    }

    /// The environment of the main container.
    pub fn env(&self) -> BTreeMap<String, String> {
        self.spec.as_ref().map(|spec| spec.main.env.clone()).unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        let (files, inner) = self.place(path);
        files?.get(&inner)
    }

    pub fn put(&mut self, path: &str, entry: Entry) {
        let (mount, inner) = split(self.spec.as_deref(), path);
        let files = match mount {
            Some(Mount::Own { role, .. }) => self.volumes.get_mut(role).map(|volume| &mut volume.files),
            Some(Mount::Named { name, .. }) => self.named.get_mut(name),
            _ => Some(&mut self.files),
        };
        if let Some(files) = files {
            files.insert(inner, entry);
        }
    }

    /// Everything at and below a path, by its path relative to it.
    pub fn below(&self, path: &str) -> Files {
        let (files, inner) = self.place(path);
        let Some(files) = files else { return Files::new() };
        let prefix = format!("{}/", inner.trim_end_matches('/'));
        files
            .iter()
            .filter_map(|(name, entry)| {
                if *name == inner {
                    return Some((String::new(), entry.clone()));
                }
                name.strip_prefix(&prefix).map(|rest| (rest.to_owned(), entry.clone()))
            })
            .collect()
    }

    /// Whether a path is where something is mounted, and so is there even if empty.
    pub fn is_mount(&self, path: &str) -> bool {
        let (mount, inner) = split(self.spec.as_deref(), path);
        mount.is_some() && inner == "/"
    }

    fn place(&self, path: &str) -> (Option<&Files>, String) {
        let (mount, inner) = split(self.spec.as_deref(), path);
        let files = match mount {
            Some(Mount::Own { role, .. }) => self.volumes.get(role).map(|volume| &volume.files),
            Some(Mount::Named { name, .. }) => self.named.get(name),
            _ => Some(&self.files),
        };
        (files, inner)
    }
}

/// The mount that a path is on, and the path inside it.
fn split<'a>(spec: Option<&'a PodSpec>, path: &str) -> (Option<&'a Mount>, String) {
    let path = normal(path);
    let target = |mount: &'a Mount| match mount {
        Mount::Own { target, .. } | Mount::Named { target, .. } => Some(target.trim_end_matches('/')),
        _ => None,
    };
    let hit = spec
        .into_iter()
        .flat_map(|spec| &spec.main.mounts)
        .filter_map(|mount| {
            let rest = path.strip_prefix(target(mount)?)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (mount, normal(rest)))
        })
        .min_by_key(|(_, rest)| rest.len());
    match hit {
        Some((mount, rest)) => (Some(mount), rest),
        None => (None, path),
    }
}

/// An absolute path without empty or `.` parts.
pub fn normal(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}
