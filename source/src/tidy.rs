//! Bounds what the cache keeps: repositories and large files together.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::GitError;
use crate::git::Git;
use crate::git::mirror::Mirrors;

/// What is kept in all, in bytes.
const KEEP: u64 = 20 << 30;
/// Whatever was of use so recently may be read at this moment.
const BUSY: Duration = Duration::from_secs(6 * 3600);

/// Something in the cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kept {
    /// When it was last of use.
    pub used: SystemTime,
    /// What it takes, in bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Git {
    /// Removes what was of no use for the longest time until the cache takes no more than it may. It reads
    /// many folders: not for a thread that others wait for.
    ///
    /// # Errors
    /// [`GitError::Disk`] if something cannot be read or removed.
    pub fn tidy(&self) -> Result<(), GitError> {
        Ok(clear(&self.inner.mirrors, &self.inner.folder.join("lfs"), KEEP)?)
    }
}

/// The same for a cache whose parts are given.
pub(crate) fn clear(mirrors: &Mirrors, large: &Path, keep: u64) -> io::Result<()> {
    let mut all = mirrors.kept()?;
    files(large, &mut all)?;
    let total: u64 = all.iter().map(|kept| kept.size).sum();
    for kept in excess(all, total, keep, SystemTime::now()) {
        if kept.path.starts_with(large) {
            fs::remove_file(&kept.path)?;
        } else {
            mirrors.remove(&kept.path)?;
        }
    }
    Ok(())
}

/// What has to go, the longest unused first.
fn excess(mut all: Vec<Kept>, total: u64, keep: u64, now: SystemTime) -> Vec<Kept> {
    all.retain(|kept| now.duration_since(kept.used).is_ok_and(|age| age >= BUSY));
    all.sort();
    let mut left = total;
    all.retain(|kept| {
        let goes = left > keep;
        left = if goes { left.saturating_sub(kept.size) } else { left };
        goes
    });
    all
}

/// Files below a folder, which may be absent. One that is of use is touched.
fn files(folder: &Path, found: &mut Vec<Kept>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            files(&entry.path(), found)?;
        } else {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Kept { used, size: metadata.len(), path: entry.path() });
        }
    }
    Ok(())
}

/// Notes that a file is of use.
pub(crate) fn touch(path: &Path) {
    // Only the order of clearing up depends on it.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_large_files_share_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let old = |path: &Path, hours: u64| {
            let then = SystemTime::now() - Duration::from_secs(hours * 3600);
            File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
        };
        let file = |name: &str, hours: u64| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, [0; 100]).unwrap();
            old(&path, hours);
            path
        };
        let mirrors = Mirrors::new(folder.path().to_owned());
        let oldest = file("lfs/aa/bb/aabb", 90);
        let older = file("one.git/used", 80);
        let old = file("lfs/cc/dd/ccdd", 70);
        let busy = file("lfs/ee/ff/eeff", 0);
        let young = file("two.git/used", 60);
        let large = folder.path().join("lfs");
        clear(&mirrors, &large, 500).unwrap();
        assert!(oldest.exists(), "there is room for all");
        clear(&mirrors, &large, 350).unwrap();
        assert!(!oldest.exists() && !older.exists(), "the longest unused are here");
        assert!(old.exists() && busy.exists() && young.exists());
        touch(&old);
        clear(&mirrors, &large, 0).unwrap();
        assert!(old.exists() && busy.exists() && !young.exists(), "what may be read was taken away");
    }
}
