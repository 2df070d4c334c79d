//! From an admitted configuration to what the runtime is asked for.

use std::collections::BTreeMap;

use devcontainer::{Diagnostic, Merged, MountKind, Severity, Stage};

use super::inside::{self, Inside};
use super::{ContainerName, ContainerSpec, Mount, PodSpec, SpecHash, VolumeRole};
use crate::config::Config;
use crate::image::ImageRef;
use crate::policy::Admitted;
use crate::runtime::{ImageInfo, ToolMount};
use crate::workspace::{Limits, Workspace};

mod folder;
mod ide;
mod rights;

pub use folder::Folders;
use rights::Rights;

/// Where services keep what outlives a container.
pub const STATE: &str = "/var/lib/steading";

/// What a pod is made for and from, beside its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Whose pod.
    pub workspace: &'a Workspace,
    /// The image, by what the runtime calls it.
    pub image: &'a ImageRef,
    /// What is known of it.
    pub info: &'a ImageInfo,
    /// The installation's configuration.
    pub config: &'a Config,
    /// The tools to mount.
    pub tools: &'a [ToolMount],
}

/// Decides what the runtime is asked for, and says what of the configuration has no effect.
#[must_use]
pub fn render(admitted: &Admitted, setting: &Setting<'_>) -> (PodSpec, Vec<Diagnostic>) {
    let merged = admitted.merged();
    let mut notes = Vec::new();
    let folders = Folders::of(merged, setting.workspace, &mut notes);
    let users = Users::of(admitted, setting.info);
    let probe = probe_name(merged);
    let service = ide::service(setting, merged, &users.remote, &folders);
    let told = told(admitted, setting, &users, &folders, &service, &probe);
    let spec = PodSpec {
        workspace: setting.workspace.id,
        slug: setting.workspace.slug.clone(),
        main: container(admitted, setting, &folders, &told),
        sidecars: Vec::new(),
        volumes: vec![VolumeRole::Workspace, VolumeRole::State],
        services: vec![service],
        limits: limits(admitted, setting.workspace.limits, &mut notes),
        remote_user: users.remote,
        workspace_folder: folders.open,
        linked_folder: folders.linked,
        workspace_root: folders.root,
        remote_env: merged.remote_env.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        env_probe: probe,
        hash: SpecHash::default(),
    };
    (spec.sealed(), notes)
}

/// Who is who in the container.
struct Users {
    /// The user of the image's own command.
    container: String,
    /// The user that people work as.
    remote: String,
}

impl Users {
    fn of(admitted: &Admitted, info: &ImageInfo) -> Self {
        let some = |user: Option<&String>| user.filter(|user| !user.is_empty()).cloned();
        let merged = admitted.merged();
        // The arguments come after the property on docker's command line, and the last one counts.
        let container = some(admitted.args().user.as_ref())
            .or_else(|| some(merged.container_user.as_ref()))
            .or_else(|| some(Some(&info.user)))
            .unwrap_or_else(|| "root".to_owned());
        let remote = some(merged.remote_user.as_ref()).unwrap_or_else(|| container.clone());
        Self { container, remote }
    }
}

/// Whether a user, as a name or a number, with or without a group, is root.
#[must_use]
pub fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), Some("" | "0" | "root"))
}

fn probe_name(merged: &Merged) -> String {
    let value = serde_json::to_value(merged.user_env_probe).unwrap_or_default();
    value.as_str().unwrap_or("none").to_owned()
}

/// The last stage that must be done before people come in (`waitFor`); later ones never block.
#[must_use]
pub fn blocking(merged: &Merged) -> Option<Stage> {
    merged.wait_for.map(|stage| stage.min(Stage::PostStart))
}

fn told(
    admitted: &Admitted,
    setting: &Setting<'_>,
    users: &Users,
    folders: &Folders,
    service: &crate::service::Service,
    probe: &str,
) -> Inside {
    let merged = admitted.merged();
    let name = users.remote.split(':').next().unwrap_or_default();
    let has_name = !is_root(name) && name.parse::<u32>().is_err();
    let ids = &setting.config.workspace;
    let uid = (merged.updates_remote_user_uid() && has_name).then(|| inside::Ids {
        user: name.to_owned(),
        uid: ids.uid,
        gid: ids.gid,
    });
    let volumes = admitted.mounts().iter().filter(|m| m.kind == MountKind::Volume && !m.read_only);
    let below = |target: &str| target.starts_with("/home/") || target.starts_with(&format!("{}/", folders.root));
    let own = [folders.root.clone(), STATE.to_owned()].into_iter();
    let home_paths_to_chown = own.chain(volumes.map(|m| m.target.clone()).filter(|target| below(target))).collect();
    let waits = blocking(merged)
        .is_some_and(|last| Stage::ALL.into_iter().any(|stage| stage <= last && !merged.commands_of(stage).is_empty()));
    Inside {
        uid,
        home_paths_to_chown,
        service: Some(inside::Start::of(service, probe)),
        gate: waits.then(|| inside::GATE.to_owned()),
        command: own_command(admitted, setting.info, users),
        drop: rights(admitted).withheld,
    }
}

fn rights(admitted: &Admitted) -> Rights {
    rights::divide(admitted.cap_add(), &admitted.args().cap_drop, admitted.privileged())
}

/// The image's command where it is kept, behind the entry points that Features bring.
fn own_command(admitted: &Admitted, info: &ImageInfo, users: &Users) -> Option<inside::Command> {
    let merged = admitted.merged();
    let kept = if merged.overrides_command() {
        Vec::new()
    } else {
        match admitted.args().entrypoint.as_deref() {
            // As on docker's command line, another entry point takes no command of the image's.
            Some("") => info.command.clone(),
            Some(other) => vec![other.to_owned()],
            None => info.entrypoint.iter().chain(&info.command).cloned().collect(),
        }
    };
    let args = match (merged.entrypoints.is_empty(), kept.is_empty()) {
        (true, true) => return None,
        (true, false) => kept,
        (false, _) => {
            let script = format!("{}\n[ $# = 0 ] || exec \"$@\"", merged.entrypoints.join("\n"));
            let shell = ["/bin/sh".to_owned(), "-c".to_owned(), script, "-".to_owned()];
            shell.into_iter().chain(kept).collect()
        }
    };
    let folder = admitted.args().workdir.clone().unwrap_or_else(|| info.folder.clone());
    let cwd = (!folder.is_empty()).then_some(folder);
    Some(inside::Command { user: users.container.clone(), args, cwd })
}

fn container(admitted: &Admitted, setting: &Setting<'_>, folders: &Folders, told: &Inside) -> ContainerSpec {
    let merged = admitted.merged();
    let (args, rights) = (admitted.args(), rights(admitted));
    let slug = &setting.workspace.slug;
    let mut env: BTreeMap<String, String> = merged.container_env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    env.extend(args.env.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))));
    let url = setting.config.public_url().ide(slug);
    env.extend(
        [("STEADING", "1"), ("STEADING_WORKSPACE", slug.as_str()), ("STEADING_URL", &url)]
            .map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    env.insert(inside::VARIABLE.to_owned(), serde_json::to_string(told).unwrap_or_default());
    let mut labels: BTreeMap<String, String> = args.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    // A rebuild is a new container, even where nothing in the configuration changed.
    labels.insert("dev.steading/rebuild".to_owned(), setting.workspace.rebuilds.to_string());
    ContainerSpec {
        name: ContainerName::main(),
        image: setting.image.clone(),
        user: "0".to_owned(),
        entrypoint: Vec::new(),
        command: vec![inside::BINARY.to_owned(), "main".to_owned()],
        folder: None,
        env,
        mounts: mounts(admitted, setting, folders),
        init: true,
        privileged: admitted.privileged(),
        cap_add: rights.add,
        cap_drop: rights.drop,
        devices: admitted.devices().to_vec(),
        security_opt: admitted.security_opt().to_vec(),
        hostname: args.hostname.clone().unwrap_or_else(|| slug.to_string()),
        extra_hosts: args.add_hosts.clone(),
        shm_size: args.shm_size.map(|size| size.min(setting.workspace.limits.memory)),
        group_add: args.group_add.clone(),
        ulimits: args.ulimits.iter().map(|u| (u.name.clone(), (u.soft, u.hard))).collect(),
        sysctls: args.sysctls.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        labels,
    }
}

fn mounts(admitted: &Admitted, setting: &Setting<'_>, folders: &Folders) -> Vec<Mount> {
    let own = |role, target: &str| Mount::Own { role, target: target.to_owned() };
    let mut mounts = vec![own(VolumeRole::Workspace, &folders.root), own(VolumeRole::State, STATE)];
    let tools = setting.tools.iter();
    mounts.extend(tools.map(|tool| Mount::Tools { name: tool.name.clone(), target: tool.target.clone() }));
    for mount in admitted.mounts().iter().filter(|mount| mount.target != folders.root) {
        let (target, read_only) = (mount.target.clone(), mount.read_only);
        mounts.push(match (mount.kind, &mount.source) {
            (MountKind::Bind, source) => Mount::Bind { source: source.clone().unwrap_or_default(), target, read_only },
            (MountKind::Volume, Some(name)) => Mount::Named { name: name.clone(), target, read_only },
            (MountKind::Volume, None) => {
                let name = format!("{}{}", setting.workspace.slug, target.replace('/', "-"));
                Mount::Named { name, target, read_only }
            }
            (MountKind::Tmpfs, _) => {
                let size = mount.options.get("tmpfs-size").cloned().flatten();
                Mount::Tmpfs { target, size: size.and_then(|size| size.parse().ok()) }
            }
        });
    }
    mounts
}

/// The workspace's limits, narrowed by what the configuration asks for itself.
fn limits(admitted: &Admitted, limits: Limits, notes: &mut Vec<Diagnostic>) -> Limits {
    let args = admitted.args();
    let mut note = |code: &str, message: String, hint: &str| {
        let file = super::render::file(admitted.merged());
        notes.push(Diagnostic::new(Severity::Info, file, code, message).hint(hint));
    };
    if let Some(wished) = &admitted.merged().host_requirements {
        let more_cpus = wished.cpus.is_some_and(|cpus| cpus > limits.cpus);
        let more_memory = wished.memory.is_some_and(|memory| memory > limits.memory);
        if more_cpus || more_memory {
            note(
                "host-requirements-unmet",
                format!(
                    "hostRequirements ask for more than a workspace gets ({} CPUs, {} MiB)",
                    limits.cpus,
                    limits.memory >> 20
                ),
                "an administrator sets workspace.cpus and workspace.memory_mib",
            );
        }
        if wished.gpu.is_some() {
            note(
                "no-gpu",
                "workspaces have no graphics processor here".to_owned(),
                "make it optional in hostRequirements",
            );
        }
    }
    let positive = |wished: Option<u64>| wished.filter(|n| *n > 0);
    Limits {
        cpus: args.cpus.filter(|n| *n > 0.0).map_or(limits.cpus, |wished| wished.min(limits.cpus)),
        memory: positive(args.memory).map_or(limits.memory, |wished| wished.min(limits.memory)),
        processes: args
            .pids_limit
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n > 0)
            .map_or(limits.processes, |wished| wished.min(limits.processes)),
    }
}

/// The file that diagnostics about the configuration as a whole name.
#[must_use]
pub fn file(merged: &Merged) -> &str {
    let origins = merged.because.values().flatten();
    let mut files = origins.filter_map(|origin| match origin {
        devcontainer::Origin::File(path) => Some(path.as_str()),
        _ => None,
    });
    files.next().unwrap_or("devcontainer.json")
}

#[cfg(test)]
mod tests;
