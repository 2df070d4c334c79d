//! Hooks that stay: servers that postStartCommand starts. They hold up neither the driver nor later hooks;
//! their output goes to the log for as long as some process is there to pass it on.

use devcontainer::Stage;
use futures::future::{join_all, try_join_all};
use steading_core::report;
use steading_core::runtime::{Observed, Result, RuntimeError};
use steading_store::Follower;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::command::{Command, End, Ended};
use super::{Hook, Run, commands, finished, hooks_of, may_stay, was_begun, worst_of};
use crate::engine::journey::Journey;
use crate::error::{In as _, Trouble};

/// Commands of a hook that are followed beside the driver. Dropping it ends the following, not the hook.
pub(super) struct Following {
    hook: Hook,
    /// Whether its end is to be told.
    is_told: bool,
    task: JoinHandle<Result<Vec<Ended>>>,
}

impl Following {
    pub(super) fn begin(
        hook: Hook,
        is_told: bool,
        all: impl Future<Output = Result<Vec<Ended>>> + Send + 'static,
    ) -> Self {
        Self { hook, is_told, task: tokio::spawn(all) }
    }

    /// How its commands ended; it may be dropped and asked again.
    pub(super) async fn ended(&mut self) -> Result<Vec<Ended>> {
        // It can only be cancelled with the whole process.
        (&mut self.task).await.unwrap_or(Err(RuntimeError::Gone))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Lets hooks go on without a driver. Nothing depends on how they end: what follows from a hook that stays
/// is that it was started.
pub(super) async fn leave(journey: &Journey<'_>, staying: Vec<Following>) {
    match free(journey).await {
        Some((permit, follower)) => go_on(journey, permit, follower, staying),
        // Another start of the container is followed to its end; whoever looks next goes on with this one.
        None => journey.log.write("hook:postStartCommand", "(it goes on; what it prints is not shown for now)"),
    }
}

/// Goes on with the hooks that stay in a running workspace, where nobody does: the process that did was
/// stopped, or lost its connection to them.
pub(in crate::engine) async fn resume(journey: &Journey<'_>, seen: &Observed) {
    let (context, ws) = (journey.context, &journey.ws);
    let (Some(instance), Some(started_at), Some(image), Some(spec)) =
        (&seen.instance, seen.started_at, &ws.facts.image, &ws.spec)
    else {
        return;
    };
    let hooks = hooks_of(&image.config, Stage::PostStart, &started_at.timestamp_micros().to_string());
    if hooks.is_empty() || !may_stay(&image.config) || context.is_quiet(ws.id, started_at) {
        return;
    }
    let Some((permit, follower)) = free(journey).await else { return };
    let run = Run { spec: spec.clone(), instance: instance.clone(), may_stay: true };
    let mut staying = Vec::new();
    for hook in hooks {
        match left(journey, hook, &run).await {
            Ok(following) => staying.extend(following),
            // There is another look.
            Err(_) => return,
        }
    }
    if staying.is_empty() {
        context.fell_quiet(ws.id, started_at);
    } else {
        go_on(journey, permit, follower, staying);
    }
}

/// The right to follow this workspace's hooks, and room for it.
async fn free(journey: &Journey<'_>) -> Option<(OwnedSemaphorePermit, Follower)> {
    let permit = journey.context.staying.clone().try_acquire_owned().ok()?;
    match journey.context.store.logs().follower(journey.id()).await {
        Ok(follower) => Some((permit, follower?)),
        Err(error) => {
            tracing::warn!(workspace.id = %journey.id(), error = %report::chain(&error), "hooks that stay are not followed");
            None
        }
    }
}

/// A hook of which something is left to follow or to tell.
async fn left(journey: &Journey<'_>, hook: Hook, run: &Run) -> std::result::Result<Option<Following>, Trouble> {
    let commands = commands(journey, &hook, run, false);
    let looks = try_join_all(commands.iter().map(Command::is_left)).await.in_step("hooks")?;
    let runs = looks.iter().any(|left| left.runs);
    // Its end came while nobody followed it.
    let is_untold = looks.iter().all(|left| left.is_there) && was_begun(journey, &hook).await?;
    if !runs && !is_untold && !looks.iter().any(|left| left.is_missing) {
        return Ok(None);
    }
    let all = try_join_all(commands.into_iter().map(|command| command.follow(true)).collect::<Vec<_>>());
    Ok(Some(Following::begin(hook, runs || is_untold, all)))
}

fn go_on(journey: &Journey<'_>, permit: OwnedSemaphorePermit, follower: Follower, staying: Vec<Following>) {
    let (store, id) = (journey.context.store.clone(), journey.id());
    tokio::spawn(async move {
        let each = staying.into_iter().map(async |mut following: Following| {
            // Without an answer, or lost with its container, it ended because the workspace did.
            let Ok(ended) = following.ended().await else { return };
            if !following.is_told || ended.iter().any(|command| command.end == End::Lost) {
                return;
            }
            let told = finished(&following.hook, worst_of(ended).as_ref());
            if let Err(error) = store.events().append(id, vec![told]).await {
                tracing::debug!(workspace.id = %id, error = %report::chain(&error), "the end of a hook was not told");
            }
        });
        join_all(each).await;
        // Whoever goes on after us begins after what the log has.
        let _ = store.logs().flush(id).await;
        drop((permit, follower));
    });
}
