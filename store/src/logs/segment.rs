//! The files of one workspace's log: segments named by the number of their first line.
//!
//! Everything here blocks; it runs on the blocking pool. Writers of several processes take turns by a lock
//! file, and look at the end of the newest segment again whenever somebody else has written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::line;

/// A segment that has grown beyond this gets a successor.
const SEGMENT: u64 = 1 << 20;
/// So many segments are kept.
const KEPT: usize = 32;
/// More than the longest line as it stands in a file.
const TAIL: u64 = 64 * 1024;
const LOCK: &str = "lock";

/// The numbers of the first lines of all segments, oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut firsts = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if let Some(first) = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|n| n.parse().ok()) {
            firsts.push(first);
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// The file of a segment.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// How far a source is in the log: its newest mark.
pub(super) fn upto(folder: &Path, source: &str) -> io::Result<Option<u64>> {
    for first in list(folder)?.into_iter().rev() {
        let bytes = match fs::read(path(folder, first)) {
            // It was dropped meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            bytes => bytes?,
        };
        // What stands behind the last line end was torn by a crash and is written again.
        let found = bytes.rsplit(|b| *b == b'\n').skip(1).find_map(|line| line::upto(line, source));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A line that waits to be numbered and written.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) stream: String,
    pub(super) text: String,
}

/// The end of the log as this process knows it.
#[derive(Debug)]
pub(super) struct Appender {
    folder: PathBuf,
    lock: Option<File>,
    end: Option<End>,
}

#[derive(Debug)]
struct End {
    first: u64,
    file: File,
    length: u64,
    last: u64,
}

impl Appender {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder, lock: None, end: None }
    }

    /// Numbers lines and writes them; gives the number of the last one.
    pub(super) fn append(&mut self, lines: &[Pending]) -> io::Result<u64> {
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => {
                fs::create_dir_all(&self.folder)?;
                OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join(LOCK))?
            }
        };
        lock.lock()?;
        let written = self.append_locked(lines);
        let unlocked = lock.unlock();
        if written.is_ok() && unlocked.is_ok() {
            self.lock = Some(lock);
        } else {
            // The folder may have been removed: begin afresh next time.
            self.end = None;
        }
        written
    }

    fn append_locked(&mut self, lines: &[Pending]) -> io::Result<u64> {
        let mut end = self.end()?;
        let at = Utc::now().timestamp_millis();
        let mut text = String::new();
        for pending in lines {
            if end.length + text.len() as u64 >= SEGMENT {
                end.write(&mut text)?;
                end = End::begin(&self.folder, end.last + 1)?;
                self.drop_oldest()?;
            }
            end.last += 1;
            line::write(&mut text, end.last, at, &pending.stream, &pending.text);
        }
        end.write(&mut text)?;
        let last = end.last;
        self.end = Some(end);
        Ok(last)
    }

    /// The end of the newest segment; what is remembered counts if nobody else has written since.
    fn end(&mut self) -> io::Result<End> {
        let newest = list(&self.folder)?.last().copied();
        if let Some(end) = self.end.take()
            && newest == Some(end.first)
            && fs::metadata(path(&self.folder, end.first))?.len() == end.length
        {
            return Ok(end);
        }
        match newest {
            Some(first) => End::open(&self.folder, first),
            None => End::begin(&self.folder, 1),
        }
    }

    fn drop_oldest(&self) -> io::Result<()> {
        let firsts = list(&self.folder)?;
        for first in &firsts[..firsts.len().saturating_sub(KEPT)] {
            fs::remove_file(path(&self.folder, *first))?;
        }
        Ok(())
    }
}

impl End {
    fn begin(folder: &Path, first: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path(folder, first))?;
        Ok(Self { first, file, length: 0, last: first - 1 })
    }

    /// Finds the last line; what a crash left half-written after it is cut off.
    fn open(folder: &Path, first: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).open(path(folder, first))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let torn = (tail.len() - whole) as u64;
        if torn > 0 {
            file.set_len(length - torn)?;
        }
        let last = tail[..whole].split(|b| *b == b'\n').rev().find_map(line::read);
        // Without a line there is nothing but damage: numbers of the segment's name are not given again.
        let last = last.map_or(first - u64::from(length == torn), |line| line.seq);
        Ok(Self { first, file, length: length - torn, last })
    }

    fn write(&mut self, text: &mut String) -> io::Result<()> {
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // The lines come again: what a full disk took of them would be there twice.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += text.len() as u64;
        text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(text: &str) -> Pending {
        Pending { stream: "build".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn numbers_go_on_after_a_crash_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("log");
        assert_eq!(Appender::new(folder.clone()).append(&[pending("a"), pending("b")]).unwrap(), 2);
        let mut file = OpenOptions::new().append(true).open(path(&folder, 1)).unwrap();
        file.write_all(b"3\t170000").unwrap();
        assert_eq!(Appender::new(folder.clone()).append(&[pending("c")]).unwrap(), 3);
        let text = fs::read_to_string(path(&folder, 1)).unwrap();
        assert_eq!(text.lines().filter_map(|l| line::read(l.as_bytes())).map(|l| l.text).collect::<String>(), "abc");
    }

    #[test]
    fn two_processes_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (Appender::new(folder.path().into()), Appender::new(folder.path().into()));
        for round in 0..50 {
            assert_eq!(one.append(&[pending("one")]).unwrap(), round * 2 + 1);
            assert_eq!(two.append(&[pending("two")]).unwrap(), round * 2 + 2);
        }
    }

    #[test]
    fn the_newest_mark_of_a_source_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Appender::new(folder.path().into());
        let mark = |source, upto| Pending {
            stream: line::marked("hook", steading_core::log::Mark { source, upto }),
            text: "x".repeat(line::LONGEST),
        };
        log.append(&[mark("a", 1), mark("b", 5), mark("a", 2), pending("c")]).unwrap();
        log.append(&(0..100).map(|n| mark("b", 6 + n)).collect::<Vec<_>>()).unwrap();
        assert!(list(folder.path()).unwrap().len() > 1);
        let last = *list(folder.path()).unwrap().last().unwrap();
        let mut file = OpenOptions::new().append(true).open(path(folder.path(), last)).unwrap();
        file.write_all(b"105\t1700000000123\thook\x1fa@9\ttor").unwrap();
        assert_eq!(upto(folder.path(), "a").unwrap(), Some(2));
        assert_eq!(upto(folder.path(), "b").unwrap(), Some(105));
        assert_eq!(upto(folder.path(), "c").unwrap(), None);
    }

    #[test]
    fn old_segments_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Appender::new(folder.path().into());
        let long = "x".repeat(line::LONGEST);
        let many: Vec<_> = (0..64).map(|_| pending(&long)).collect();
        for _ in 0..40 {
            log.append(&many).unwrap();
        }
        let firsts = list(folder.path()).unwrap();
        assert_eq!(firsts.len(), KEPT);
        assert!(firsts[0] > 1);
    }
}
