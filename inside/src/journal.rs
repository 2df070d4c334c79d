//! Log files with a limit.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where output goes, and what happens at the limit.
pub enum Journal {
    /// Keeps the beginning: readers follow it by offset, so nothing written ever moves.
    Head {
        /// The file.
        file: File,
        /// Bytes that still fit.
        left: u64,
        /// Whether the reader was told that more is missing.
        told: bool,
    },
    /// Keeps the end: at half the limit the file becomes `log.1` and a new one begins.
    Tail {
        /// The file.
        file: File,
        /// Its path.
        path: PathBuf,
        /// Bytes in the file.
        size: u64,
        /// Bytes at which it is moved away.
        half: u64,
    },
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o644).open(path)
}

impl Journal {
    /// Output of a hook: the first `limit` bytes.
    pub fn head(path: &Path, limit: u64) -> std::io::Result<Self> {
        let file = open(path)?;
        let left = limit.saturating_sub(file.metadata()?.len());
        Ok(Self::Head { file, left, told: false })
    }

    /// Output of a service: the last bytes, at most `limit` in two files.
    pub fn tail(path: &Path, limit: u64) -> std::io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self::Tail { file, path: path.to_owned(), size, half: limit / 2 })
    }

    /// Adds output. A full disk loses output, never the process that wrote it.
    pub fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Head { file, left, told } => {
                let fits = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                if file.write_all(&bytes[..fits]).is_ok() {
                    *left -= fits as u64;
                }
                if fits < bytes.len() && !*told {
                    *told = true;
                    let _ = file.write_all(b"\n[output limit reached: the rest is not kept, the command goes on]\n");
                }
            }
            Self::Tail { file, path, size, half } => {
                if *size > 0 && *size + bytes.len() as u64 > *half {
                    let _ = fs::rename(&*path, path.with_extension("1"));
                    if let Ok(fresh) = open(path) {
                        *file = fresh;
                        *size = 0;
                    }
                }
                if file.write_all(bytes).is_ok() {
                    *size += bytes.len() as u64;
                }
            }
        }
    }

    /// A line of our own.
    pub fn note(&mut self, line: &str) {
        self.add(format!("{line}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_kept_with_one_line_about_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut journal = Journal::head(&path, 10).unwrap();
        for _ in 0..5 {
            journal.add(b"12345678");
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("1234567812\n["), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn the_tail_is_kept_within_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut journal = Journal::tail(&path, 100).unwrap();
        for n in 0..1000 {
            journal.add(format!("{n:>9}\n").as_bytes());
        }
        let (now, before) =
            (fs::read_to_string(&path).unwrap(), fs::read_to_string(folder.path().join("log.1")).unwrap());
        assert!(now.ends_with("      999\n"));
        assert!(now.len() + before.len() <= 100);
        assert!(before.len() >= 40);
    }
}
