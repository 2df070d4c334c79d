//! Events and log lines, as they are streamed.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::Any;
use steading_core::event::WorkspaceEvent;
use steading_core::log::LogLine;

/// One thing that happened to a workspace.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Event")]
pub struct EventView {
    /// Counts up; resume after the last one you saw.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What: `created`, `phase`, `resolved`, `hook-started`, `hook-finished`, `diagnostic`, `failed`, …
    pub event: String,
    /// What belongs to it; its shape depends on `event`.
    pub detail: Any<serde_json::Value>,
}

impl From<&WorkspaceEvent> for EventView {
    fn from(event: &WorkspaceEvent) -> Self {
        let mut detail = serde_json::to_value(&event.kind).unwrap_or_default();
        let name = detail.as_object_mut().and_then(|o| o.remove("event"));
        Self {
            seq: event.seq,
            at: event.at,
            event: name.and_then(|n| n.as_str().map(str::to_owned)).unwrap_or_default(),
            detail: Any(detail),
        }
    }
}

/// One line of a workspace's log.
#[derive(Debug, Clone, Object)]
#[oai(rename = "LogLine")]
pub struct LogLineView {
    /// Counts up within the workspace; resume after the last one you saw.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What printed it: `resolve`, `pull`, `build`, `clone`, `hook:postCreateCommand`, `ide`, …
    pub stream: String,
    /// The text without its line end; colours are kept.
    pub text: String,
}

impl From<LogLine> for LogLineView {
    fn from(LogLine { seq, at, stream, text }: LogLine) -> Self {
        Self { seq, at, stream, text }
    }
}
