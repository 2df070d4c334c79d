//! Containers of this installation that no record knows: stopped and reported. Their volumes may hold
//! somebody's work, so no machine deletes them, unless their owner asked for that: a call that was cut off
//! may still make a container after the deletion has come to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use steading_core::runtime::ContainerState;
use steading_core::{WorkspaceId, report};
use steading_store::StoreError;

use crate::context::Context;

/// What had no record at the last look. Only what has none twice in a row is an orphan: a record may be
/// on its way, or the list older than the record's end.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    suspects: BTreeSet<WorkspaceId>,
    reported: BTreeSet<WorkspaceId>,
}

impl Orphans {
    /// Holds what the runtime has against the records.
    pub(crate) async fn look(&mut self, context: &Context) {
        let listed = match context.runtime.list().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::debug!(error = %report::chain(&error), "the runtime did not list what it has");
                return;
            }
        };
        let mut suspects = BTreeSet::new();
        for (id, seen) in listed {
            if !matches!(context.store.workspaces().load(id).await, Err(StoreError::NotFound)) {
                continue;
            }
            if matches!(context.store.workspaces().was_deleted(id).await, Ok(true)) {
                tracing::info!(workspace.id = %id, "a deleted workspace came up again; it is removed once more");
                if let Err(error) = context.runtime.remove(id).await {
                    tracing::warn!(workspace.id = %id, error = %report::chain(&error), "it could not be removed");
                }
                continue;
            }
            suspects.insert(id);
            if !self.suspects.contains(&id) {
                continue;
            }
            if self.reported.insert(id) {
                tracing::warn!(
                    workspace.id = %id,
                    volumes = seen.volumes.len(),
                    "the runtime has a workspace without a record; it is stopped, its volumes stay"
                );
            }
            if seen.containers.values().any(|state| !matches!(state, ContainerState::Down { .. })) {
                let grace = Duration::from_secs(context.config.workspace.stop_seconds.into());
                if let Err(error) = context.runtime.down(id, grace).await {
                    tracing::warn!(workspace.id = %id, error = %report::chain(&error), "it could not be stopped");
                }
            }
        }
        self.suspects = suspects;
    }
}
