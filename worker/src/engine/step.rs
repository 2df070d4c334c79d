//! Which function takes which step.

use steading_core::Class;
use steading_core::plan::Step;
use steading_core::runtime::Observed;

use super::journey::{Done, Journey};
use super::{build, down, extensions, hooks, open, populate, resolve, up};
use crate::error::{In as _, Trouble};

/// Takes a step. Dropping the future at any point is safe: the step is planned again.
pub(super) async fn run(journey: &mut Journey<'_>, step: &Step, seen: &Observed) -> Result<Done, Trouble> {
    let context = journey.context;
    let _permit = match step {
        Step::Resolve | Step::Populate => Some(journey.turn.aside(context.fetches.acquire()).await),
        Step::Up => Some(journey.turn.aside(context.starts.acquire()).await),
        // Build takes one where there is something to pull or to build.
        _ => None,
    };
    match step {
        Step::Resolve => resolve::run(journey).await,
        Step::Build => build::run(journey).await,
        Step::Up => up::run(journey, seen).await,
        Step::Populate => populate::run(journey, seen).await,
        Step::Hooks(stage) => hooks::run(journey, *stage, seen).await,
        Step::Open => open::run(journey, seen).await,
        Step::Extensions => extensions::run(journey, seen).await,
        Step::Pause => context.runtime.pause(journey.id()).await.in_step("pause").map(|()| Done::default()),
        Step::Resume => context.runtime.resume(journey.id()).await.in_step("resume").map(|()| Done::default()),
        Step::Down => down::stop(journey, seen).await,
        Step::Remove => down::remove(journey).await,
        Step::Wait(_) | Step::Settle(_) => {
            Err(Trouble::found("settle", "nothing-to-do", "there is nothing to do".to_owned(), "", Class::Permanent))
        }
    }
}
