//! Hooks that stay: servers that postStartCommand starts. They hold up neither the driver nor later hooks;
//! their output goes to the log for as long as this process is there to pass it on.

use std::sync::Arc;

use steading_core::log::LogSink;
use steading_core::runtime::{Result, RuntimeError};
use steading_core::{WorkspaceId, report};
use tokio::task::JoinHandle;

use super::command::{End, Ended};
use super::{Hook, finished, worst_of};
use crate::context::Context;

/// Commands of a hook that are followed beside the driver. Dropping it ends the following, not the hook.
pub(super) struct Following {
    hook: Hook,
    task: JoinHandle<Result<Vec<Ended>>>,
}

impl Following {
    pub(super) fn begin(hook: Hook, all: impl Future<Output = Result<Vec<Ended>>> + Send + 'static) -> Self {
        Self { hook, task: tokio::spawn(all) }
    }

    /// How its commands ended; it may be dropped and asked again.
    pub(super) async fn ended(&mut self) -> Result<Vec<Ended>> {
        // It can only be cancelled with the whole process.
        (&mut self.task).await.unwrap_or(Err(RuntimeError::Gone))
    }

    /// Goes on without a driver, and tells should it end. Nothing depends on it: what follows from a hook
    /// that stays is that it was started.
    pub(super) fn leave(mut self, context: &Context, id: WorkspaceId, log: Arc<dyn LogSink>) {
        let Ok(permit) = context.staying.clone().try_acquire_owned() else {
            log.write(&self.hook.stream(), "(it goes on; there are too many like it to show what it prints)");
            return;
        };
        let store = context.store.clone();
        tokio::spawn(async move {
            let ended = self.ended().await;
            drop(permit);
            // Without an answer, or lost with its container, it ended because the workspace did.
            let Ok(ended) = ended else { return };
            if ended.iter().any(|command| command.end == End::Lost) {
                return;
            }
            let told = finished(&self.hook, worst_of(ended).as_ref());
            if let Err(error) = store.events().append(id, vec![told]).await {
                tracing::debug!(workspace.id = %id, error = %report::chain(&error), "the end of a hook was not told");
            }
        });
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}
