//! What we know of where workspaces are, so that a call needs no look first. Anything here may be
//! stale: whoever uses it notices, forgets it and looks again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steading_core::WorkspaceId;

use super::dial::Doorway;

/// Main containers by workspace.
#[derive(Default)]
pub struct Places {
    all: Mutex<HashMap<WorkspaceId, Place>>,
}

#[derive(Clone)]
struct Place {
    container: String,
    doorway: Arc<Doorway>,
}

impl Places {
    /// The engine's id of the main container, as last seen.
    pub fn container(&self, id: WorkspaceId) -> Option<String> {
        self.lock().get(&id).map(|place| place.container.clone())
    }

    /// How to reach ports of this container; shared by everybody who asks while it lives.
    pub fn doorway(&self, id: WorkspaceId, container: &str) -> Arc<Doorway> {
        self.keep(id, container);
        self.lock().get(&id).map(|place| place.doorway.clone()).unwrap_or_default()
    }

    /// Notes which container is the main one. What is known of another is dropped.
    pub fn keep(&self, id: WorkspaceId, container: &str) {
        let mut all = self.lock();
        if all.get(&id).is_none_or(|place| place.container != container) {
            all.insert(id, Place { container: container.to_owned(), doorway: Arc::default() });
        }
    }

    /// The container of a workspace ended or started, and has another address from now on.
    pub fn restarted(&self, id: WorkspaceId) {
        if let Some(place) = self.lock().get(&id) {
            place.doorway.doubt();
        }
    }

    /// Drops what is known of a workspace.
    pub fn forget(&self, id: WorkspaceId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Place>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
