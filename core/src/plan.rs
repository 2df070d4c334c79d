//! The whole state machine: what is wanted, what is recorded and what is seen, in; the next step, out.
//!
//! No I/O, no clock of its own, no memory. First start, restart, retry, rebuild, deletion and recovery
//! after a crash are all this one call. `tests/plan_model.rs` walks every reachable state of it.

use chrono::{DateTime, TimeDelta, Utc};
use devcontainer::Stage;
use std::time::Duration;

use crate::runtime::{ContainerState, InstanceId, Observed};
use crate::workspace::{Deaths, Desired, Facts, HookFact, Owner, Phase, Workspace};

/// A container that dies within this time of its start died quickly.
pub const QUICK: TimeDelta = TimeDelta::seconds(60);
/// So many quick deaths in a row and the workspace is given up.
pub const DEATHS: u32 = 3;

/// The first thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Pin the reference to a commit and find out what the source is.
    Resolve,
    /// Have the image: pull or build it.
    Build,
    /// Have the volumes, and the container running.
    Up,
    /// Put the checkout into the workspace volume.
    Populate,
    /// Run lifecycle hooks up to this stage.
    Hooks(Stage),
    /// Have every service answer.
    Open,
    /// Install the listed extensions.
    Extensions,
    /// Freeze a warm workspace.
    Pause,
    /// Thaw it.
    Resume,
    /// Stop the container.
    Down,
    /// Remove container and volumes.
    Remove,
    /// Nothing before this time has passed.
    Wait(Duration),
    /// Nothing is missing.
    Settle(Phase),
}

/// Names the first thing missing.
#[must_use]
pub fn next(ws: &Workspace, seen: &Observed, now: DateTime<Utc>) -> Step {
    match ws.desired {
        Desired::Deleted if seen.is_absent() => Step::Settle(Phase::Deleted),
        Desired::Stopped if !holds_process(seen) => Step::Settle(Phase::Stopped),
        _ if let Some(wait) = waiting(ws, now) => Step::Wait(wait),
        // Removing and stopping are tried for ever: a failure there is shown and retried, never final.
        Desired::Deleted => Step::Remove,
        Desired::Stopped => Step::Down,
        Desired::Running if ws.failure.is_some() => Step::Settle(Phase::Failed),
        Desired::Running => next_running(ws, seen),
    }
}

/// What people see while a step is under way: the display follows the plan, not the reverse. A workspace
/// that people may enter is running, whatever is still done in it.
#[must_use]
pub fn phase(ws: &Workspace, seen: &Observed, step: &Step) -> Phase {
    match step {
        Step::Hooks(_) | Step::Extensions if until_open(ws, seen).is_none() => Phase::Running,
        step => step.phase(ws.phase),
    }
}

fn next_running(ws: &Workspace, seen: &Observed) -> Step {
    until_open(ws, seen).unwrap_or_else(|| after_open(ws, seen))
}

/// What is missing before people come in, if anything is.
fn until_open(ws: &Workspace, seen: &Observed) -> Option<Step> {
    let warm = matches!(ws.owner, Owner::Pool(_));
    let facts = &ws.facts;
    if facts.resolution.is_none() {
        return Some(Step::Resolve);
    }
    let Some(image) = &facts.image else {
        return Some(Step::Build);
    };
    let Some(spec) = &ws.spec else {
        return Some(Step::Up);
    };
    let volumes_there = spec.volumes.iter().all(|role| seen.volumes.contains_key(role));
    if !volumes_there || seen.spec.as_ref() != Some(&spec.hash) {
        return Some(Step::Up);
    }
    let (Some(instance), Some(started_at)) = (&seen.instance, seen.started_at) else {
        return Some(Step::Up);
    };
    match seen.main() {
        Some(ContainerState::Paused) if warm && is_prepared(facts, instance, started_at) => {
            return Some(Step::Settle(Phase::Running));
        }
        Some(ContainerState::Paused) => return Some(Step::Resume),
        Some(ContainerState::Up) => {}
        _ => return Some(Step::Up),
    }
    if !is_populated(ws, seen) {
        return Some(Step::Populate);
    }
    let done = |stage: Stage| hooks_done(facts, instance, started_at, stage);
    if warm {
        let step = if done(Stage::UpdateContent) { Step::Pause } else { Step::Hooks(Stage::UpdateContent) };
        return Some(step);
    }
    // What must be done before people come in; at most the stages that happen once per container.
    let wait_for = image.config.wait_for;
    if let Some(stage) = wait_for.map(|stage| stage.min(Stage::PostCreate))
        && !done(stage)
    {
        return Some(Step::Hooks(stage));
    }
    if wait_for >= Some(Stage::PostStart) && !has_started(facts, instance, started_at) {
        return Some(Step::Hooks(Stage::PostStart));
    }
    let serves = spec.services.iter().all(|s| seen.services.get(&s.name) == Some(&true));
    (!serves).then_some(Step::Open)
}

/// What is missing while people are in.
fn after_open(ws: &Workspace, seen: &Observed) -> Step {
    let facts = &ws.facts;
    let (Some(instance), Some(started_at)) = (&seen.instance, seen.started_at) else {
        return Step::Up;
    };
    if !hooks_done(facts, instance, started_at, Stage::PostCreate) {
        return Step::Hooks(Stage::PostCreate);
    }
    // Nobody waits for postStartCommand to end, which is often a server that stays; a gallery that does not
    // answer is waited for.
    if !has_started(facts, instance, started_at) {
        return Step::Hooks(Stage::PostStart);
    }
    if seen.volumes.get(&crate::pod::VolumeRole::State) != facts.extensions.as_ref() {
        return Step::Extensions;
    }
    if ws.entered_at > facts.attached && !has_failed(facts, instance, started_at) {
        return Step::Hooks(Stage::PostAttach);
    }
    Step::Settle(Phase::Running)
}

/// Whether a hook failed in this start of the container.
fn has_failed(facts: &Facts, instance: &InstanceId, started_at: DateTime<Utc>) -> bool {
    facts.hooks.as_ref().is_some_and(|h| h.failed == Some(started_at) && h.instance == *instance)
}

/// Whether postStartCommand needs no more running in this start of the container.
fn has_started(facts: &Facts, instance: &InstanceId, started_at: DateTime<Utc>) -> bool {
    has_failed(facts, instance, started_at) || facts.post_start.as_ref() == Some(&(instance.clone(), started_at))
}

/// Whether a stage needs no more running in this container: done, or skipped after a failure in this
/// start of it.
fn hooks_done(facts: &Facts, instance: &InstanceId, started_at: DateTime<Utc>, stage: Stage) -> bool {
    let is_done = |h: &HookFact| h.instance == *instance && h.stage >= stage;
    has_failed(facts, instance, started_at) || facts.hooks.as_ref().is_some_and(is_done)
}

/// Whether a warm workspace is as far as it goes before it is claimed.
fn is_prepared(facts: &Facts, instance: &InstanceId, started_at: DateTime<Utc>) -> bool {
    hooks_done(facts, instance, started_at, Stage::UpdateContent)
}

/// Whether the workspace volume that is there holds the checkout.
fn is_populated(ws: &Workspace, seen: &Observed) -> bool {
    let volume = seen.volumes.get(&crate::pod::VolumeRole::Workspace);
    ws.facts.populated.as_ref().map(|p| &p.volume) == volume
}

fn holds_process(seen: &Observed) -> bool {
    seen.containers.values().any(|c| matches!(c, ContainerState::Up | ContainerState::Paused))
}

/// How long a failed step still waits before it is tried again.
#[must_use]
pub fn waiting(ws: &Workspace, now: DateTime<Utc>) -> Option<Duration> {
    let retry = ws.retry.as_ref()?;
    (retry.not_before - now).to_std().ok().filter(|d| !d.is_zero())
}

/// Counts the death of a container that is seen down while it should run: a quick one adds to the row,
/// any other ends it, and each start counts once.
#[must_use]
pub fn count_death(deaths: &Deaths, seen: &Observed) -> Deaths {
    let Some(ContainerState::Down { finished_at: Some(finished), .. }) = seen.main() else {
        return deaths.clone();
    };
    let Some(started) = seen.started_at else {
        return deaths.clone();
    };
    if deaths.last == Some(started) {
        return deaths.clone();
    }
    let quick = *finished - started < QUICK;
    Deaths { count: if quick { deaths.count + 1 } else { 0 }, last: Some(started) }
}

impl Step {
    /// A stable name, for retries, failures and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Build => "build",
            Self::Up => "up",
            Self::Populate => "populate",
            Self::Hooks(_) => "hooks",
            Self::Open => "open",
            Self::Extensions => "extensions",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Down => "down",
            Self::Remove => "remove",
            Self::Wait(_) => "wait",
            Self::Settle(_) => "settle",
        }
    }

    const fn phase(&self, now: Phase) -> Phase {
        match self {
            Self::Resolve => Phase::Resolving,
            Self::Build => Phase::Building,
            Self::Up | Self::Resume => Phase::Starting,
            Self::Populate => Phase::Initializing,
            Self::Hooks(_) | Self::Open | Self::Extensions | Self::Pause => match now {
                Phase::Running => Phase::Running,
                _ => Phase::Initializing,
            },
            Self::Down => Phase::Stopping,
            Self::Remove => Phase::Deleting,
            Self::Wait(_) => now,
            Self::Settle(phase) => *phase,
        }
    }
}
