//! Drives one workspace to rest: lease, look, plan, act, record; again, until nothing is missing.
//!
//! There is no recovery code: a crash anywhere in here is this call again (see `steading_core::plan`).

use std::time::Duration;

use steading_core::{Phase, WorkspaceId};
use steading_store::{StoreError, Turn};
use tokio_util::sync::CancellationToken;

use crate::context::Context;

mod build;
mod credential;
mod down;
mod extensions;
mod files;
mod hooks;
mod journey;
mod lease;
mod open;
mod populate;
mod resolve;
mod retry;
mod step;
mod up;

use journey::Journey;
use lease::Held;
pub(crate) use resolve::{Registered, configurations};

/// How a drive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is missing.
    Settled(Phase),
    /// A step failed and is tried again after this time.
    Waiting(Duration),
    /// Somebody else drives it, or took it over; they will look again.
    Busy,
    /// There is no such workspace, or no more.
    Gone,
    /// The worker stops.
    Stopped,
}

/// Drives a workspace until it rests.
///
/// # Errors
/// Only if the database does not answer.
pub(crate) async fn drive(
    context: &Context,
    id: WorkspaceId,
    turn: &Turn,
    stop: &CancellationToken,
) -> Result<Rest, StoreError> {
    loop {
        let leases = context.store.leases();
        let Some(lease) = leases.acquire(id, &context.holder, context.ttl()).await? else {
            return Ok(Rest::Busy);
        };
        let held = Held::new(context.store.clone(), lease.clone());
        let driven = match Journey::begin(context, lease, turn, held.lost(), stop).await {
            Ok(mut journey) => journey.settle().await,
            Err(error) => Err(error),
        };
        let rest = match driven {
            Ok(rest) => rest,
            Err(StoreError::NotFound) => Rest::Gone,
            Err(StoreError::LostLease) => return Ok(Rest::Busy),
            Err(error) => {
                let _ = held.release().await;
                return Err(error);
            }
        };
        // Whoever rang while we were at it relies on us.
        let rung = held.release().await?;
        if !rung || rest == Rest::Stopped || rest == Rest::Gone {
            return Ok(rest);
        }
    }
}
