//! `Step::Hooks`: run lifecycle commands up to a stage.
//!
//! They run under `inside hook`, which outlives us: a key names each command of a container (and for
//! postStartCommand of a start of it), so asking again follows the one that runs, or tells how it ended.

use std::time::Duration;

use chrono::{DateTime, Utc};
use devcontainer::{LifecycleCommand, Origin, SingleCommand};
use futures::future::try_join_all;
use steading_core::event::EventKind;
use steading_core::failure::Failure;
use steading_core::pod::PodSpec;
use steading_core::runtime::{InstanceId, Observed};
use steading_core::workspace::{Change, HookFact};
use steading_core::{Class, Merged, Stage};

use self::command::{Command, End, Ended};
use self::stay::Following;
use super::journey::{Done, Journey};
use super::retry;
use crate::error::{In as _, Trouble};
use crate::inside::{self, Call};
use crate::output;

pub(super) mod command;
pub(super) mod stay;
mod transcript;

/// A hook that may stay and is still there after this time stays.
const SHORT: Duration = Duration::from_secs(5);

/// The code of a hook that was interrupted, and how often it is tried.
const INTERRUPTED: &str = "hook-interrupted";
const TRIES: u32 = 3;

/// One command with what it is called.
#[derive(Clone)]
struct Hook {
    stage: Stage,
    origin: Origin,
    command: LifecycleCommand,
    /// Its place in its stage.
    index: usize,
    /// The start or the entry that it belongs to; empty where it belongs to the container.
    moment: String,
}

/// In which container hooks run, and how.
struct Run {
    spec: PodSpec,
    instance: InstanceId,
    /// Nobody waits for postStartCommand, so it may be a server that never ends.
    may_stay: bool,
}

pub(super) async fn run(journey: &mut Journey<'_>, upto: Stage, seen: &Observed) -> Result<Done, Trouble> {
    let (Some(instance), Some(started_at), Some(image), Some(spec)) =
        (seen.instance.clone(), seen.started_at, journey.ws.facts.image.clone(), journey.ws.spec.clone())
    else {
        return Ok(Done::default());
    };
    let merged = image.config;
    if upto == Stage::PostAttach {
        return attach(journey, &merged, &spec).await;
    }
    let done = journey.ws.facts.hooks.as_ref().filter(|fact| fact.instance == instance).map(|fact| fact.stage);
    let stages = Stage::ALL.into_iter().filter(|stage| *stage <= upto);
    let missing: Vec<Stage> = match upto {
        Stage::PostStart => vec![Stage::PostStart],
        _ => stages.filter(|stage| Some(*stage) > done).collect(),
    };
    let may_stay = upto == Stage::PostStart && may_stay(&merged);
    let run = Run { spec, instance, may_stay };
    let mut followed = false;
    for stage in missing {
        let (mut told, mut staying) = (Vec::new(), Vec::new());
        for hook in hooks_of(&merged, stage, &started_at.timestamp_micros().to_string()) {
            // How one ended is told together with what follows from it.
            journey.record(Vec::new(), std::mem::take(&mut told)).await?;
            // Only the first could have been begun by a driver before us.
            let again = !std::mem::replace(&mut followed, true) && was_begun(journey, &hook).await?;
            match attempt(journey, &hook, &run, again).await? {
                Outcome::Stays(following) => staying.push(following),
                Outcome::Ended(finished, failure) => {
                    told.push(finished);
                    if let Some(failure) = failure {
                        let changes = failed(&hook, failure, run.instance, started_at, done);
                        return rest(journey, changes, told, staying).await;
                    }
                }
            }
        }
        let mut changes = fact(&run.instance, started_at, stage);
        if stage == upto {
            changes.extend(empty_after(&merged, stage, &run.instance, started_at));
            return rest(journey, changes, told, staying).await;
        }
        if !told.is_empty() {
            journey.record(changes, told).await?;
        }
    }
    Ok(Done::default())
}

/// The end of the step. Hooks that stay are let go once it is on record that they began: until then a
/// driver after us would follow them itself.
async fn rest(
    journey: &mut Journey<'_>,
    changes: Vec<Change>,
    events: Vec<EventKind>,
    staying: Vec<Following>,
) -> Result<Done, Trouble> {
    if staying.is_empty() {
        return Ok(Done { changes, events });
    }
    journey.record(changes, events).await?;
    stay::leave(journey, staying).await;
    Ok(Done::default())
}

/// What stands for a stage that is done.
fn fact(instance: &InstanceId, started_at: DateTime<Utc>, stage: Stage) -> Vec<Change> {
    match stage {
        Stage::PostStart => vec![Change::PostStart(instance.clone(), started_at)],
        once => vec![Change::Hooks(HookFact { instance: instance.clone(), stage: once, failed: None })],
    }
}

/// What can be said at once of a new container whose configuration has no commands in its first stages.
pub(super) fn none_at_first(merged: &Merged, instance: &InstanceId, started_at: DateTime<Utc>) -> Option<Vec<Change>> {
    let is_empty = merged.commands_of(Stage::OnCreate).is_empty();
    is_empty.then(|| {
        let mut changes = fact(instance, started_at, Stage::OnCreate);
        changes.extend(empty_after(merged, Stage::OnCreate, instance, started_at));
        changes
    })
}

/// Stages after this one that have nothing to run need no step of their own.
pub(super) fn empty_after(
    merged: &Merged,
    stage: Stage,
    instance: &InstanceId,
    started_at: DateTime<Utc>,
) -> Vec<Change> {
    let rest = Stage::ALL.into_iter().filter(|later| *later > stage && *later <= Stage::PostStart);
    let empty: Vec<Stage> = rest.take_while(|later| merged.commands_of(*later).is_empty()).collect();
    let once = empty.iter().rev().find(|stage| **stage <= Stage::PostCreate);
    let mut changes: Vec<Change> = once.map(|stage| fact(instance, started_at, *stage)).unwrap_or_default();
    if empty.contains(&Stage::PostStart) {
        changes.extend(fact(instance, started_at, Stage::PostStart));
    }
    changes
}

/// Whether nobody waits for postStartCommand, so that it may be a server that never ends.
fn may_stay(merged: &Merged) -> bool {
    merged.wait_for < Some(Stage::PostStart)
}

fn hooks_of(merged: &Merged, stage: Stage, moment: &str) -> Vec<Hook> {
    let moment = if stage < Stage::PostStart { "" } else { moment };
    let commands = merged.commands_of(stage).iter().enumerate();
    commands
        .map(|(index, (origin, command))| Hook {
            stage,
            origin: origin.clone(),
            command: command.clone(),
            index,
            moment: moment.to_owned(),
        })
        .collect()
}

impl Hook {
    /// Under which the helper runs one of its commands once. Positions, not names, which may be of any
    /// length and script.
    fn key(&self, position: usize) -> String {
        let key = format!("{}.{}.{position}", self.stage, self.index);
        if self.moment.is_empty() { key } else { format!("{key}.{}", self.moment) }
    }

    fn stream(&self) -> String {
        format!("hook:{}", self.stage)
    }

    fn name(&self) -> String {
        format!("{} of {}", self.stage, self.origin)
    }
}

/// Whether the story ends with the start of this very hook: then it is told, and we follow it.
async fn was_begun(journey: &Journey<'_>, hook: &Hook) -> Result<bool, Trouble> {
    let last = journey.context.store.events().last_hook(journey.id()).await?;
    Ok(last.is_some_and(|event| event.kind == started(hook)))
}

fn started(hook: &Hook) -> EventKind {
    let parts = hook.command.singles().into_iter().map(|(name, single)| text(&name, &single));
    EventKind::HookStarted {
        stage: hook.stage.to_string(),
        origin: hook.origin.to_string(),
        command: parts.collect::<Vec<_>>().join("; ").chars().take(500).collect(),
    }
}

fn text(name: &str, single: &SingleCommand) -> String {
    let line = match single {
        SingleCommand::Shell(line) => line.clone(),
        SingleCommand::Exec(words) => words.join(" "),
    };
    if name.is_empty() { line } else { format!("{name}: {line}") }
}

/// What became of a hook.
enum Outcome {
    Ended(EventKind, Option<Failure>),
    /// It goes on, and may do so for as long as its container runs.
    Stays(Following),
}

/// Runs or follows one hook to its end, or until it is clear that it stays where it may.
async fn attempt(journey: &mut Journey<'_>, hook: &Hook, run: &Run, again: bool) -> Result<Outcome, Trouble> {
    if !again {
        journey.record(Vec::new(), vec![started(hook)]).await?;
    }
    let minutes = journey.context.config.workspace.hook_minutes;
    // Several commands of one hook run side by side, and all are waited for.
    let all = commands(journey, hook, run, true).into_iter().map(|command| command.follow(again));
    let all = try_join_all(all.collect::<Vec<_>>());
    let ended = if run.may_stay {
        let mut following = Following::begin(hook.clone(), true, all);
        match journey.turn.aside(tokio::time::timeout(SHORT, following.ended())).await {
            Ok(ended) => ended,
            Err(_) => return Ok(Outcome::Stays(following)),
        }
    } else {
        journey.turn.aside(all).await
    };
    let ended = ended.in_step("hooks")?;
    if let Some(broken) = ended.iter().find(|command| command.end == End::Lost)
        && retry::attempts(journey.ws.retry.as_ref(), "hooks", INTERRUPTED) < TRIES
    {
        return Err(interrupted(hook, broken));
    }
    let worst = worst_of(ended);
    let finished = finished(hook, worst.as_ref());
    Ok(Outcome::Ended(finished, worst.map(|ended| failure(hook, ended, minutes))))
}

/// The commands of a hook, which run side by side.
fn commands(journey: &Journey<'_>, hook: &Hook, run: &Run, begins: bool) -> Vec<Command> {
    let mut options = Call::default().for_people(&run.spec, &run.spec.workspace_folder);
    if !run.may_stay {
        let minutes = u64::from(journey.context.config.workspace.hook_minutes);
        options = options.words(&["--timeout", &(minutes * 60).to_string()]);
    }
    let each = hook.command.singles().into_iter().enumerate();
    each.map(|(position, (name, single))| Command {
        runtime: journey.context.runtime.clone(),
        store: journey.context.store.clone(),
        log: journey.log.clone(),
        id: journey.id(),
        key: hook.key(position),
        source: source(&run.instance, &hook.key(position)),
        stream: hook.stream(),
        title: format!("$ {}", text(&name, &single).chars().take(500).collect::<String>()),
        options: options.clone(),
        argv: single.argv(),
        begins,
    })
    .collect()
}

/// The first of a hook's commands that did not succeed.
fn worst_of(ended: Vec<Ended>) -> Option<Ended> {
    ended.into_iter().find(|command| command.end != End::SUCCESS)
}

fn finished(hook: &Hook, worst: Option<&Ended>) -> EventKind {
    let end = worst.map_or(End::SUCCESS, |ended| ended.end);
    EventKind::HookFinished { stage: hook.stage.to_string(), exit: end.code() }
}

/// What names the output of a command for ever: its container, of whose id the end tells enough, and its key.
pub(super) fn source(instance: &InstanceId, key: &str) -> String {
    let skipped = instance.0.chars().count().saturating_sub(16);
    format!("{}/{key}", instance.0.chars().skip(skipped).collect::<String>())
}

fn interrupted(hook: &Hook, ended: &Ended) -> Trouble {
    let message = format!("{} was interrupted", hook.name());
    let hint = "It is run again once the container is up.";
    Trouble::found("hooks", INTERRUPTED, message, hint, Class::Transient).with_output(&ended.last)
}

fn failure(hook: &Hook, ended: Ended, minutes: u32) -> Failure {
    let (code, message) = match ended.end {
        End::TimedOut => ("hook-timed-out", format!("{} did not end within {minutes} minutes", hook.name())),
        // It may end the process that watches over it each time: people come in and see.
        End::Lost => (INTERRUPTED, format!("{} was interrupted {TRIES} times", hook.name())),
        end => ("hook-failed", format!("{} ended with exit code {}", hook.name(), end.code())),
    };
    let failure = Failure {
        step: "hooks".to_owned(),
        code: code.to_owned(),
        message,
        hint: Some("Later hooks were skipped. Mend the command in the open workspace, then rebuild.".to_owned()),
        retryable: false,
        output: None,
    };
    failure.with_output(ended.last)
}

/// A hook that failed does not fail the workspace: people need the IDE to mend it.
fn failed(
    hook: &Hook,
    failure: Failure,
    instance: InstanceId,
    started_at: DateTime<Utc>,
    done: Option<Stage>,
) -> Vec<Change> {
    let mut changes = vec![Change::Warned(failure)];
    let stage = match hook.stage {
        Stage::PostStart => {
            changes.push(Change::PostStart(instance.clone(), started_at));
            // Once-per-container stages come before it; it is not one of them.
            done.unwrap_or(Stage::PostCreate)
        }
        once => once,
    };
    changes.push(Change::Hooks(HookFact { instance, stage, failed: Some(started_at) }));
    changes
}

/// postAttachCommand is started and left alone: it is often a program that stays.
async fn attach(journey: &mut Journey<'_>, merged: &Merged, spec: &PodSpec) -> Result<Done, Trouble> {
    let entered = journey.ws.entered_at.unwrap_or_else(Utc::now);
    let mut done = Done::from(Change::Attached(entered));
    for hook in hooks_of(merged, Stage::PostAttach, &entered.timestamp_micros().to_string()) {
        done.events.push(started(&hook));
        for (position, (_, single)) in hook.command.singles().into_iter().enumerate() {
            let call = Call::new(&["hook", "run", "--detach", "--key", &hook.key(position)]);
            let call = call.for_people(spec, &spec.workspace_folder).running(single.argv());
            let runtime = journey.context.runtime.as_ref();
            let process = inside::call(runtime, journey.id(), call).await.in_step("hooks")?;
            let ended = output::follow(process, None).await.in_step("hooks")?;
            if ended.exit != 0 {
                let ended = Ended { end: End::Exit(ended.exit), last: ended.last };
                done.changes.push(Change::Warned(failure(&hook, ended, 0)));
            }
        }
    }
    Ok(done)
}
