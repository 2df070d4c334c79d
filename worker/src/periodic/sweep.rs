//! Rings again for everything that is not as it should be and that nobody is at.

use std::sync::Arc;
use std::time::Duration;

use steading_core::report;
use steading_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::orphans::Orphans;
use crate::context::Context;

/// So many at a time; the rest has its turn at the next sweep.
const BATCH: u64 = 200;
/// Running workspaces that nobody looked at for this long are looked at again.
const UNSEEN: Duration = Duration::from_secs(60);
/// What the runtime has is held against the records once in so many pauses: each minute, usually.
const EACH: u32 = 12;

/// Sweeps until the worker stops.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let pause = Duration::from_secs(context.config.worker.sweep_seconds.max(1).into());
    let mut orphans = Orphans::default();
    let mut compared: Option<tokio::time::Instant> = None;
    loop {
        if let Err(error) = sweep(&context).await {
            tracing::warn!(error = %report::chain(&error), "the sweep did not come to its end");
        }
        if compared.is_none_or(|at| at.elapsed() >= pause * EACH) {
            compared = Some(tokio::time::Instant::now());
            orphans.look(&context).await;
        }
        // Several workers that started together should not sweep together.
        let pause = pause.mul_f64(0.8 + 0.4 * rand::random::<f64>());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn sweep(context: &Context) -> Result<(), StoreError> {
    look(context, UNSEEN, BATCH).await
}

/// Looks at every running workspace, because something may have been missed.
pub(crate) async fn again(context: &Context) -> Result<(), StoreError> {
    look(context, Duration::ZERO, 100_000).await
}

async fn look(context: &Context, unseen: Duration, limit: u64) -> Result<(), StoreError> {
    let workspaces = context.store.workspaces();
    let mut ids = workspaces.unsettled(limit).await?;
    ids.extend(workspaces.unseen(unseen, limit).await?);
    for id in ids {
        context.nudge(id).await;
    }
    Ok(())
}
