//! Room for a record, taken before it is needed: a disk that is full by then cannot lose it.

use crate::failure::{Failure, Result};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// No record is longer.
const SIZE: usize = 512;

/// A file of blanks, which JSON may end with, where a record will stand.
pub struct Room {
    file: File,
    draft: PathBuf,
    record: PathBuf,
}

impl Room {
    /// Takes room for the record at this path.
    pub fn take(record: &Path) -> Result<Self> {
        let draft = Self::draft(record);
        let taken = OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(&draft);
        let taken = taken.and_then(|file| file.write_all_at(&[b' '; SIZE], 0).map(|()| file));
        match taken {
            Ok(file) => Ok(Self { file, draft, record: record.to_owned() }),
            Err(error) => {
                let _ = fs::remove_file(&draft);
                Err(Failure::system(format_args!("take room for {}", record.display()), error))
            }
        }
    }

    /// Puts the record into it: a reader sees all of it or what was there before.
    pub fn fill(&self, record: &impl Serialize) -> Result<()> {
        self.write(record).map_err(|error| Failure::system(format_args!("write {}", self.record.display()), error))
    }

    fn write(&self, record: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(record)?;
        if text.len() > SIZE {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        text.resize(SIZE, b' ');
        self.file.write_all_at(&text, 0)?;
        fs::rename(&self.draft, &self.record)
    }

    /// Gives back what was taken for a record and never filled.
    pub fn forget(record: &Path) {
        let _ = fs::remove_file(Self::draft(record));
    }

    fn draft(record: &Path) -> PathBuf {
        record.with_extension("room")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_the_place_of_the_one_before_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        fs::write(&path, "1").unwrap();
        let room = Room::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1");
        room.fill(&vec!["a"; 3]).unwrap();
        let read: Vec<String> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, ["a"; 3]);
        assert!(room.fill(&"x".repeat(SIZE)).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
