//! What a worker does with a ring. Nothing is an error but a database that does not answer.

use std::sync::Arc;
use std::time::Duration;

use steading_core::WorkspaceId;
use steading_core::queue::Job;
use steading_store::{StoreError, Turn};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::engine::{self, Rest};
use crate::inquiry;

/// Retries due later than this are left to the sweeper.
const SOON: Duration = Duration::from_secs(60);

/// Handles one ring.
pub(crate) async fn handle(
    context: Arc<Context>,
    stop: CancellationToken,
    job: Job,
    turn: Arc<Turn>,
) -> Result<(), StoreError> {
    match job {
        Job::Drive { workspace } => {
            if let Rest::Waiting(wait) = engine::drive(&context, workspace, &turn, &stop).await? {
                later(context, stop, workspace, wait);
            }
            Ok(())
        }
        Job::Resolve { inquiry } => turn.aside(inquiry::answer(&context, inquiry, &stop)).await,
        // Images and workspaces made ahead have their place in the queue; nothing asks for them yet.
        Job::Prebuild { .. } | Job::Refill { .. } => {
            tracing::warn!(?job, "this worker does not know the job");
            Ok(())
        }
    }
}

/// Rings again when a retry is due. Should we be gone by then, the sweeper does.
fn later(context: Arc<Context>, stop: CancellationToken, id: WorkspaceId, wait: Duration) {
    if wait > SOON {
        return;
    }
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => context.nudge(id).await,
        }
    });
}
