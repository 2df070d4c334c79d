//! `Step::Down` and `Step::Remove`: stop the container; remove all there is.

use std::time::Duration;

use steading_core::runtime::Observed;
use steading_core::workspace::{Change, Deaths};

use super::journey::{Done, Journey};
use crate::error::{In as _, Trouble};

pub(super) async fn stop(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    // A container that we stop did not die: its end is counted before it comes.
    let deaths = Deaths { count: journey.ws.facts.deaths.count, last: seen.started_at };
    if deaths.last.is_some() && deaths != journey.ws.facts.deaths {
        journey.record(vec![Change::Deaths(deaths)], Vec::new()).await?;
    }
    journey.log.write("container", "Stopping the container");
    let context = journey.context;
    let grace = Duration::from_secs(context.config.workspace.stop_seconds.into());
    context.runtime.down(journey.id(), grace).await.in_step("down")?;
    Ok(Done::default())
}

pub(super) async fn remove(journey: &mut Journey<'_>) -> Result<Done, Trouble> {
    journey.packing = None;
    journey.context.runtime.remove(journey.id()).await.in_step("remove")?;
    Ok(Done::default())
}
