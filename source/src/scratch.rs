//! Temporary folders that a crash does not leave behind for ever.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of this process for temporary files. The lock on it says that we live; what has no living
/// owner is removed by the next process that starts.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    _alive: File,
}

impl Scratch {
    /// Makes a folder for this process, and removes those of processes that are gone.
    pub fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        sweep(root)?;
        let folder = tempfile::Builder::new().prefix("p").tempdir_in(root)?.keep();
        let lock = folder.with_extension("lock");
        let alive = File::create(&lock)?;
        alive.lock()?;
        Ok(Self { folder, lock, _alive: alive })
    }

    /// A new folder, removed with the value.
    pub fn folder(&self) -> io::Result<TempDir> {
        tempfile::tempdir_in(&self.folder)
    }

    /// Where temporary files may be made.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock);
    }
}

fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "lock") {
            continue;
        }
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            // Another process may do the same at this moment; then there is nothing left to remove.
            let _ = fs::remove_dir_all(path.with_extension(""));
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("pdead/x")).unwrap();
        File::create(root.path().join("pdead.lock")).unwrap();
        let alive = Scratch::new(root.path()).unwrap();
        assert!(!root.path().join("pdead").exists());
        let other = Scratch::new(root.path()).unwrap();
        assert!(alive.path().exists());
        let mine = other.path().to_owned();
        drop(other);
        assert!(!mine.exists());
    }
}
