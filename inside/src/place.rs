//! Where this program reads accounts and keeps its state, and how it starts itself again.
//!
//! State belongs to one container and one user: it lies in the container's own file system, never in a volume,
//! under a name made from the container's identity, so that an image committed from a container does not carry
//! "this hook already ran" into the next one.

use crate::failure::{Failure, Result, SYSTEM};
use nix::unistd::{chown, geteuid};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that carries the specification of `inside main`; no child may see it.
pub const SPEC_VARIABLE: &str = "STEADING_INSIDE";

/// So often the list of mounts is read again until it stands still.
const READINGS: u32 = 10;

/// Tried in order: the last two are for images whose root file system is read-only.
const BASES: [&str; 3] = ["/run/steading", "/tmp/.steading", "/dev/shm/.steading"];

/// The file system we work on: the real one, or folders given by a test.
#[derive(Clone, Debug, Default)]
pub struct Place {
    root: Option<PathBuf>,
    state: Option<PathBuf>,
    own: OnceCell<PathBuf>,
}

impl Place {
    /// `root` holds etc/passwd and etc/group; `state` replaces the state folder.
    pub fn new(root: Option<PathBuf>, state: Option<PathBuf>) -> Self {
        Self { root, state, own: OnceCell::new() }
    }

    /// A path of the image, below the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        match &self.root {
            None => path.to_owned(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// The folder of our own state, made when it is not there.
    pub fn state(&self) -> Result<&Path> {
        if self.own.get().is_none() {
            let found = self.find_state()?;
            let _ = self.own.set(found);
        }
        self.own
            .get()
            .map(PathBuf::as_path)
            .ok_or_else(|| Failure::new("no-state", SYSTEM, "the state folder vanished"))
    }

    /// A folder in the state folder, made when it is not there.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.state()?.join(name);
        folder_of_mine(&folder).map_err(|e| Failure::system(format_args!("make {}", folder.display()), e))?;
        Ok(folder)
    }

    fn find_state(&self) -> Result<PathBuf> {
        if let Some(state) = &self.state {
            fs::create_dir_all(state).map_err(|e| Failure::system(format_args!("make {}", state.display()), e))?;
            return Ok(state.clone());
        }
        let name = format!("{}-{:016x}", geteuid(), fingerprint(container_identity().as_bytes()));
        let mut reasons = Vec::new();
        for base in BASES {
            let base = Path::new(base);
            match shared_folder(base).and_then(|()| folder_of_mine(&base.join(&name))) {
                Ok(()) => return Ok(base.join(&name)),
                Err(error) => reasons.push(format!("{}: {error}", base.display())),
            }
        }
        Err(Failure::new("no-state", SYSTEM, format!("no folder can keep our state ({})", reasons.join("; "))))
    }

    /// This program again, in the same place.
    pub fn me(&self, words: &[&str]) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("inside");
        for (option, path) in [("--root", &self.root), ("--state", &self.state)] {
            if let Some(path) = path {
                command.arg(option).arg(path);
            }
        }
        command.args(words).env_remove(SPEC_VARIABLE);
        command
    }
}

/// World-writable and sticky, like /tmp: each user keeps a folder of its own in it.
fn shared_folder(path: &Path) -> std::io::Result<()> {
    // The smallest images have neither /run nor /tmp.
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    match DirBuilder::new().mode(0o1777).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path)?;
            match found.is_dir() && (found.uid() == 0 || found.uid() == geteuid().as_raw()) {
                true => Ok(()),
                false => Err(std::io::Error::other("is not a folder of root or ours")),
            }
        }
        Err(error) => Err(error),
    }
}

fn folder_of_mine(path: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o711).create(path) {
        Ok(()) => return fs::set_permissions(path, Permissions::from_mode(0o711)),
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    let found = fs::symlink_metadata(path)?;
    match found.is_dir() && found.uid() == geteuid().as_raw() {
        true => Ok(()),
        false => Err(std::io::Error::other("is not a folder of ours")),
    }
}

/// What the engine mounts for this container alone: Docker's and Podman's hostname and hosts files, a Pod's hosts file.
/// The same for the whole life of a container, stops and starts included.
fn container_identity() -> String {
    // The kernel gives the list in pieces: mounts that come and go between two of them, as they do while a container
    // starts, repeat lines or skip some. So it is read until two readings agree.
    let read = || identity_in(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let mut seen = read();
    for _ in 0..READINGS {
        let again = read();
        if again == seen {
            break;
        }
        seen = again;
    }
    seen
}

fn identity_in(mountinfo: &str) -> String {
    mountinfo
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(3);
            let (source, target) = (fields.next()?, fields.next()?);
            matches!(target, "/etc/hostname" | "/etc/hosts").then_some(source)
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(" ")
}

/// FNV-1a: a short name for something long; nothing secret rests on it.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Writes a file so that a reader sees the old one or the new one, never half of it.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace(path, bytes, mode, None).map_err(|e| Failure::system(format_args!("write {}", path.display()), e))
}

/// The same, keeping an owner.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    let draft = path.with_file_name(name);
    let _ = fs::remove_file(&draft);
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        if let Some((uid, gid)) = owner {
            chown(&draft, Some(uid.into()), Some(gid.into()))?;
        }
        fs::rename(&draft, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_what_its_engine_mounts() {
        let docker = "600 587 254:1 /var/lib/docker/containers/abc/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n\
                      601 587 254:1 /var/lib/docker/containers/abc/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n\
                      602 587 0:5 / /proc rw - proc proc rw\n";
        assert_eq!(identity_in(docker), "/var/lib/docker/containers/abc/hostname /var/lib/docker/containers/abc/hosts");
        let twice = format!("{docker}{docker}");
        assert_eq!(identity_in(&twice), identity_in(docker));
        assert_eq!(identity_in("garbage"), "");
    }
}
