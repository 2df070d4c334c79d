//! `chown -R` that follows no symbolic link and stays on one file system.

use crate::failure::say;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::unistd::fchownat;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Gives a whole tree to an owner. Children come before their folder, so the owner of the top says whether a
/// walk was finished. What refuses is counted and said, and the rest goes on.
pub fn give(top: &Path, uid: u32, gid: u32) {
    let mut walk = Walk { uid, gid, device: 0, refused: 0, last: None };
    let Ok(name) = CString::new(top.as_os_str().as_bytes()) else { return };
    match fstatat(AT_FDCWD, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => {
            walk.device = found.st_dev;
            walk.visit(AT_FDCWD, &name, &found);
        }
        Err(Errno::ENOENT) => {}
        Err(error) => walk.note(error),
    }
    if let Some(error) = walk.last {
        say(format_args!("{}: {} entries kept their owner ({error})", top.display(), walk.refused));
    }
}

/// Whether the top of a tree still has to be given.
pub fn differs(top: &Path, uid: u32, gid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(top).is_ok_and(|found| (found.uid(), found.gid()) != (uid, gid))
}

struct Walk {
    uid: u32,
    gid: u32,
    device: u64,
    refused: usize,
    last: Option<Errno>,
}

impl Walk {
    fn note(&mut self, error: Errno) {
        self.refused += 1;
        self.last = Some(error);
    }

    fn visit(&mut self, parent: impl AsFd, name: &CStr, found: &FileStat) {
        if found.st_dev != self.device {
            return;
        }
        let folder = found.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR;
        if folder {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            match Dir::openat(parent.as_fd(), name, flags, Mode::empty()) {
                Ok(mut dir) => self.children(&mut dir),
                Err(error) => self.note(error),
            }
        }
        if (found.st_uid, found.st_gid) == (self.uid, self.gid) {
            return;
        }
        let given = fchownat(parent, name, Some(self.uid.into()), Some(self.gid.into()), AtFlags::AT_SYMLINK_NOFOLLOW);
        if let Err(error) = given {
            self.note(error);
        }
    }

    fn children(&mut self, dir: &mut Dir) {
        let entries: Vec<_> = dir.iter().filter_map(Result::ok).collect();
        for entry in entries {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match fstatat(dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(found) => self.visit(dir.as_fd(), name, &found),
                Err(error) => self.note(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_tree_changes_hands_and_links_are_not_followed() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (home, outside) = (folder.path().join("home"), folder.path().join("outside"));
        fs::create_dir_all(home.join("a/b/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(home.join("a/b/file"), "x").unwrap();
        fs::write(outside.join("secret"), "x").unwrap();
        symlink(&outside, home.join("a/link")).unwrap();
        symlink(outside.join("secret"), home.join("file-link")).unwrap();
        assert!(differs(&home, 1234, 2345));
        give(&home, 1234, 2345);
        for path in ["", "a", "a/b/c", "a/b/file", "a/link", "file-link"] {
            let found = fs::symlink_metadata(home.join(path)).unwrap();
            assert_eq!((found.uid(), found.gid()), (1234, 2345), "{path}");
        }
        assert_eq!(fs::metadata(&outside).unwrap().uid(), 0);
        assert_eq!(fs::metadata(outside.join("secret")).unwrap().uid(), 0);
        assert!(!differs(&home, 1234, 2345));
    }
}
