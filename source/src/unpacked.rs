//! Files that came out of a container as a tar archive, so that a rebuild sees what the workspace has now.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use devcontainer::{Entry, Tree};
use steading_core::log::Silent;
use steading_core::runtime::ByteStream;
use tempfile::TempDir;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::GitError;
use crate::folder::Folder;
use crate::git::{Git, STREAM};
use crate::report::blocking;

/// An unpacked archive. Its files go with it.
#[derive(Debug)]
pub struct Unpacked {
    folder: Folder,
    _files: TempDir,
}

impl Unpacked {
    /// The files, for a build.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Tree for Unpacked {
    fn entries(&self, dir: &str) -> Vec<Entry> {
        self.folder.entries(dir)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.folder.read(path)
    }
}

impl Git {
    /// Unpacks an archive into a temporary folder. The first component of each path is dropped: an engine
    /// packs a folder under its own name. `.git` folders stay out, as do devices and the like.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] beyond `source.max_mib`, [`GitError::Disk`] if it cannot be written or read.
    pub async fn unpack(&self, tar: ByteStream) -> Result<Unpacked, GitError> {
        let files = self.inner.scratch.folder()?;
        let limit_mib = self.inner.settings.max_mib;
        let to = files.path().to_owned();
        let reader = SyncIoBridge::new(StreamReader::new(tar));
        blocking(&Silent, STREAM, move |_| {
            let mut counted = Counted { from: reader, left: limit_mib.saturating_mul(1 << 20) };
            match unpack(&mut counted, &to) {
                Err(_) if counted.left == 0 => Err(GitError::TooLarge { limit_mib }),
                done => done.map_err(GitError::Disk),
            }
        })
        .await?;
        let folder = Folder::open(files.path()).ok_or_else(|| GitError::Disk(io::ErrorKind::NotFound.into()))?;
        Ok(Unpacked { folder, _files: files })
    }
}

fn unpack(from: impl Read, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let Some(path) = inner(&entry.path()?) else { continue };
        if !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            continue;
        }
        let target = to.join(path);
        // Something that was unpacked before must not lead out.
        let Some(folder) = target.parent() else { continue };
        std::fs::create_dir_all(folder)?;
        if !std::fs::canonicalize(folder)?.starts_with(to) {
            continue;
        }
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
        } else {
            entry.unpack(&target)?;
        }
    }
    Ok(())
}

/// The path without its first component; `None` for what stays out.
fn inner(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    parts.next()?;
    let rest: PathBuf = parts.collect();
    let is_plain = rest.components().all(|part| matches!(part, Component::Normal(name) if name != ".git"));
    (is_plain && !rest.as_os_str().is_empty()).then_some(rest)
}

struct Counted<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.from.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
