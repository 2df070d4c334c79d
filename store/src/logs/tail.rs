//! Reads a log from any line on, through segments that come and go.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use chrono::Utc;
use steading_core::log::LogLine;

use super::{line, segment};

/// How much is read at once.
const CHUNK: u64 = 256 * 1024;

/// A place in a log.
#[derive(Debug)]
pub(super) struct Cursor {
    folder: PathBuf,
    /// The last line that was given.
    after: u64,
    /// The segment and the offset in it that come next; absent before the first look.
    at: Option<(u64, u64)>,
}

impl Cursor {
    pub(super) fn new(folder: &Path, after: u64) -> Self {
        Self { folder: folder.to_owned(), after, at: None }
    }

    /// The next lines, in order; none if there are none yet. Where lines are gone because there were too
    /// many, the first one given says so under the number of the last one that is gone.
    pub(super) fn next(&mut self) -> io::Result<Vec<LogLine>> {
        let mut lines = Vec::new();
        while lines.is_empty() {
            let segments = segment::list(&self.folder)?;
            let Some(&oldest) = segments.first() else { return Ok(lines) };
            let (first, offset) = match self.at {
                Some((first, offset)) if segments.contains(&first) => (first, offset),
                // The segment that holds the next line: the last one that does not begin after it.
                _ => (segments.iter().rev().copied().find(|s| *s <= self.after + 1).unwrap_or(oldest), 0),
            };
            if first > self.after + 1 && offset == 0 {
                lines.push(gone(self.after + 1, first - 1));
                self.after = first - 1;
            }
            let newer = segments.iter().copied().find(|s| *s > first);
            let Some(chunk) = read(&segment::path(&self.folder, first), offset)? else {
                // It was dropped between the two looks.
                self.at = None;
                continue;
            };
            let whole = chunk.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            for line in chunk[..whole].split(|b| *b == b'\n').filter_map(line::read) {
                if line.seq > self.after {
                    self.after = line.seq;
                    lines.push(line);
                }
            }
            self.at = Some((first, offset + whole as u64));
            if whole == 0 {
                match newer {
                    // Nobody adds to a segment that has a successor; whatever is left of it is damage.
                    Some(newer) => self.at = Some((newer, 0)),
                    None => break,
                }
            }
        }
        Ok(lines)
    }
}

fn gone(first: u64, last: u64) -> LogLine {
    let text = format!("(lines {first} to {last} were dropped: only the newest 32 MiB of output are kept)");
    LogLine { seq: last, at: Utc::now(), stream: "log".to_owned(), text }
}

fn read(path: &Path, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut chunk = Vec::new();
    file.take(CHUNK).read_to_end(&mut chunk)?;
    Ok(Some(chunk))
}
