//! Lines of output that people follow: a build, a checkout, a hook.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line of a workspace's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts from 1 within the workspace; readers resume after the last one they saw.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What printed it: `resolve`, `build`, `pull`, `clone`, `hook:postCreateCommand`, `ide`, …
    pub stream: String,
    /// The text without its line end; control sequences are kept.
    pub text: String,
}

/// A place in something that can be read again, such as the output of a hook that outlives us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark<'a> {
    /// What is read.
    pub source: &'a str,
    /// So many bytes of it are in the log.
    pub upto: u64,
}

/// Takes the output of a step. It never blocks and never fails: output is for reading, not for deciding.
pub trait LogSink: Send + Sync {
    /// Appends text to a stream; a text of several lines becomes several lines.
    fn write(&self, stream: &str, text: &str);

    /// Appends one line and remembers together with it how far its source is in the log, so that whoever
    /// reads the source again goes on from there and no line is told twice.
    fn write_marked(&self, stream: &str, line: &str, mark: Mark<'_>) {
        let _ = mark;
        self.write(stream, line);
    }
}

/// Throws everything away, for callers that have no reader.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl LogSink for Silent {
    fn write(&self, _stream: &str, _text: &str) {}
}
