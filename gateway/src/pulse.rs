//! How much each workspace is used: bytes that people send it, and when the last ones came.
//!
//! Kept in memory and cheap to write; whoever decides about idleness drains it now and then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use steading_core::WorkspaceId;

use crate::cache::lock;

/// What was seen of one workspace since the last drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Bytes from clients to the workspace: request heads (roughly), bodies, tunnels.
    pub bytes: u64,
    /// When the last of them passed.
    pub last: DateTime<Utc>,
}

/// The counters of one workspace.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    bytes: AtomicU64,
    /// Milliseconds since 1970; 0 means never.
    last: AtomicI64,
}

impl Beat {
    /// Counts bytes that a client sent.
    pub(crate) fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }
}

/// The counters of all workspaces.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: Mutex<HashMap<WorkspaceId, Arc<Beat>>>,
}

impl Pulse {
    pub(crate) fn of(&self, id: WorkspaceId) -> Arc<Beat> {
        Arc::clone(lock(&self.beats).entry(id).or_default())
    }

    /// What was seen since the last call; workspaces without any are left out.
    pub fn drain(&self) -> Vec<Activity> {
        let mut seen = Vec::new();
        lock(&self.beats).retain(|id, beat| {
            let bytes = beat.bytes.swap(0, Ordering::Relaxed);
            let last = DateTime::from_timestamp_millis(beat.last.load(Ordering::Relaxed));
            if let (1.., Some(last)) = (bytes, last) {
                seen.push(Activity { workspace: *id, bytes, last });
            }
            // A tunnel that is open keeps its counters.
            bytes > 0 || Arc::strong_count(beat) > 1
        });
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drained_is_not_counted_again() {
        let pulse = Pulse::default();
        let id = WorkspaceId::new();
        pulse.of(id).count(3);
        pulse.of(id).count(4);
        assert_eq!(pulse.drain().iter().map(|a| (a.workspace, a.bytes)).collect::<Vec<_>>(), [(id, 7)]);
        assert!(pulse.drain().is_empty());
        assert!(lock(&pulse.beats).is_empty());
    }
}
