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

/// Takes the output of a step. It never blocks and never fails: output is for reading, not for deciding.
pub trait LogSink: Send + Sync {
    /// Appends text to a stream; a text of several lines becomes several lines.
    fn write(&self, stream: &str, text: &str);
}

/// Throws everything away, for callers that have no reader.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl LogSink for Silent {
    fn write(&self, _stream: &str, _text: &str) {}
}
