//! What the runtime tells of itself: a container that dies is looked at at once. Latency only; the
//! sweeper would find it, too.

use std::sync::Arc;

use futures::StreamExt as _;
use steading_core::report;
use steading_core::runtime::RuntimeEvent;
use tokio_util::sync::CancellationToken;

use super::sweep;
use crate::context::Context;

/// Watches until the worker stops.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut events = context.runtime.events();
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            // Whoever drives it here is told and looks again; it needs no other driver.
            Some(RuntimeEvent::Changed(id)) => {
                if !context.stir(id) {
                    context.nudge(id).await;
                }
            }
            Some(RuntimeEvent::Lost) => {
                if let Err(error) = sweep::again(&context).await {
                    tracing::warn!(error = %report::chain(&error), "the sweep did not come to its end");
                }
            }
            None => return,
        }
    }
}
