//! A small disk of its own, to be filled.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

/// A mounted disk; it goes when this does.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one of this size (`32m`). `None`, and a word about it, where nobody may.
    ///
    /// # Errors
    /// When there is no folder to mount it at.
    pub fn mount(size: &str) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Some(Self { folder })),
            other => {
                eprintln!("SKIPPED: no disk can be mounted here: {other:?}");
                Ok(None)
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes what is left of it, but for so many bytes; the file that takes it.
    ///
    /// # Errors
    /// When it does not become full.
    pub fn fill_but(&self, left: usize) -> Result<PathBuf> {
        let room = self.path().join("room");
        std::fs::write(&room, vec![7; left])?;
        let path = self.path().join("filler");
        let full = std::io::copy(&mut std::io::repeat(7), &mut std::fs::File::create(&path)?);
        ensure!(full.is_err(), "the disk has no end");
        std::fs::remove_file(room)?;
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
