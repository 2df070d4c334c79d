//! Which mounts are made.

use std::path::{Component, Path};

use devcontainer::run_args::RunArgs;
use devcontainer::{Merged, Mount, MountKind};

use super::Notes;
use crate::config::Policy;

/// Where Steading's own things are, and what would break the container itself.
const RESERVED: [&str; 7] = ["/opt/steading", "/var/lib/steading", "/run/steading", "/proc", "/sys", "/dev", "/etc"];

/// Those that may be made; of several with one target the last.
pub(super) fn admit(merged: &Merged, args: &RunArgs, policy: &Policy, notes: &mut Notes<'_>) -> Vec<Mount> {
    let mut admitted: Vec<Mount> = Vec::new();
    for mount in merged.mounts.iter().chain(&args.mounts) {
        if !target_is_fine(mount, notes) {
            continue;
        }
        let fine = match mount.kind {
            MountKind::Bind => bind_is_fine(mount, policy, notes),
            MountKind::Volume => volume_is_fine(mount, notes),
            MountKind::Tmpfs => true,
        };
        if fine {
            admitted.retain(|other| clean(&other.target) != clean(&mount.target));
            admitted.push(mount.clone());
        }
    }
    admitted
}

fn target_is_fine(mount: &Mount, notes: &mut Notes<'_>) -> bool {
    let target = clean(&mount.target);
    if !is_plain(&mount.target) || target == "/" {
        notes.refuse(
            "invalid-mount-target",
            format!("the mount target \"{target}\" is not a folder below the root of the container; it is not mounted"),
            "a target is an absolute path without \"..\"",
        );
        return false;
    }
    // Below /etc and /dev single files and folders are fair: /etc/ssl/certs, /dev/shm.
    let is_reserved = RESERVED.iter().any(|reserved| {
        target == *reserved || (reserved.contains("steading") && target.starts_with(&format!("{reserved}/")))
    });
    if is_reserved {
        notes.refuse(
            "reserved-mount-target",
            format!("{target} is not free in a workspace; nothing of the configuration's is mounted there"),
            "choose another target",
        );
    }
    !is_reserved
}

fn bind_is_fine(mount: &Mount, policy: &Policy, notes: &mut Notes<'_>) -> bool {
    let source = mount.source.as_deref().unwrap_or_default();
    let path = Path::new(source);
    let is_listed = policy.host_mounts.iter().any(|allowed| allowed == path);
    if is_engine_socket(source) {
        // The engine's socket is the host: a folder that happens to hold it does not allow it.
        if !is_listed {
            notes.refuse(
                "engine-socket-refused",
                format!("the configuration mounts the container engine's socket {source}, which would give it the host"),
                "an administrator can allow exactly this path in policy.host_mounts; better is an engine inside the workspace",
            );
        }
        return is_listed;
    }
    // Whoever has the folder above can put a link to anywhere in this one's place, at any moment until the
    // engine mounts it: no look at it beforehand would be worth anything.
    let around = policy.host_mounts.iter().find(|allowed| *allowed != path && path.starts_with(allowed));
    match around {
        Some(allowed) if is_plain(source) => {
            notes.refuse(
                "nested-host-mount-refused",
                format!("the configuration mounts \"{source}\" of the host at {}; it runs without", mount.target),
                &format!(
                    "mount the whole of {0}; or an administrator lists this folder in policy.host_mounts in place of {0}",
                    allowed.display()
                ),
            );
            false
        }
        None if is_plain(source) && is_listed => true,
        _ => {
            notes.refuse(
                "host-mount-refused",
                format!("the configuration mounts \"{source}\" of the host at {}; it runs without", mount.target),
                "use a volume (type=volume), or ask an administrator to add the folder to policy.host_mounts",
            );
            false
        }
    }
}

fn is_engine_socket(source: &str) -> bool {
    ["docker.sock", "podman.sock", "containerd.sock", "crio.sock"].iter().any(|name| source.ends_with(name))
}

fn volume_is_fine(mount: &Mount, notes: &mut Notes<'_>) -> bool {
    // `volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/` is a host mount in disguise.
    if mount.options.keys().any(|key| key.starts_with("volume-driver") || key.starts_with("volume-opt")) {
        notes.refuse(
            "volume-options-refused",
            format!("the volume at {} asks for a driver or options of its own; it is not mounted", mount.target),
            "use a plain named volume",
        );
        return false;
    }
    let Some(name) = &mount.source else { return true };
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let fine = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(letters) && name.len() <= 128;
    if !fine {
        let shown: String = name.chars().take(80).collect();
        notes.refuse(
            "invalid-volume-name",
            format!("\"{shown}\" is not a name for a volume; nothing is mounted at {}", mount.target),
            "a volume's name has letters, digits, dots, dashes and underscores",
        );
    }
    fine
}

/// An absolute path that says what it is.
fn is_plain(path: &str) -> bool {
    let parts = Path::new(path).components();
    path.starts_with('/')
        && !path.contains(['\0', '\n', '$'])
        && parts.into_iter().all(|c| matches!(c, Component::RootDir | Component::Normal(_)))
}

fn clean(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}
