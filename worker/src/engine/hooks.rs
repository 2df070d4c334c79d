//! `Step::Hooks`: run lifecycle commands up to a stage.
//!
//! They run under `inside hook`, which outlives us: a key names each command of a container (and for
//! postStartCommand of a start of it), so asking again follows the one that runs, or tells how it ended.

use chrono::{DateTime, Utc};
use devcontainer::{LifecycleCommand, Origin, SingleCommand};
use futures::future::try_join_all;
use steading_core::event::{EventKind, WorkspaceEvent};
use steading_core::failure::Failure;
use steading_core::log::LogSink;
use steading_core::pod::PodSpec;
use steading_core::runtime::{InstanceId, Observed, Runtime, RuntimeError};
use steading_core::workspace::{Change, HookFact};
use steading_core::{Class, Merged, Stage, WorkspaceId};

use super::journey::{Done, Journey};
use crate::error::{In as _, Trouble};
use crate::output::Ended;
use crate::{inside, output};

/// One command with what it is called.
struct Hook {
    stage: Stage,
    origin: Origin,
    command: LifecycleCommand,
    /// What its key begins with.
    key: String,
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
    let mut followed = false;
    for stage in missing {
        let mut told = Vec::new();
        for hook in hooks_of(&merged, stage, &started_at.timestamp_micros().to_string()) {
            // How one ended is told together with what follows from it.
            journey.record(Vec::new(), std::mem::take(&mut told)).await?;
            // Only the first could have been begun by a driver before us.
            let again = !std::mem::replace(&mut followed, true) && was_begun(journey, &hook).await?;
            let (finished, failure) = attempt(journey, &hook, &spec, again).await?;
            told.push(finished);
            if let Some(failure) = failure {
                let changes = failed(&hook, failure, instance, started_at, done);
                return Ok(Done { changes, events: told });
            }
        }
        let mut changes = fact(&instance, started_at, stage);
        if stage == upto {
            changes.extend(empty_after(&merged, stage, &instance, started_at));
            return Ok(Done { changes, events: told });
        }
        if !told.is_empty() {
            journey.record(changes, told).await?;
        }
    }
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

fn hooks_of(merged: &Merged, stage: Stage, start: &str) -> Vec<Hook> {
    let commands = merged.commands_of(stage).iter().enumerate();
    commands
        .map(|(index, (origin, command))| Hook {
            stage,
            origin: origin.clone(),
            command: command.clone(),
            key: match stage {
                Stage::PostStart => format!("{stage}.{index}.{start}"),
                _ => format!("{stage}.{index}"),
            },
        })
        .collect()
}

/// Whether the story ends with the start of this very hook: then it is told, and we follow it.
async fn was_begun(journey: &Journey<'_>, hook: &Hook) -> Result<bool, Trouble> {
    let mut after = 0;
    let mut last: Option<WorkspaceEvent> = None;
    loop {
        let events = journey.context.store.events().since(Some(journey.id()), after, 1000).await?;
        let Some(newest) = events.last() else { break };
        after = newest.seq;
        let is_hook = |event: &WorkspaceEvent| {
            matches!(event.kind, EventKind::HookStarted { .. } | EventKind::HookFinished { .. })
        };
        last = events.into_iter().rev().find(is_hook).or(last);
    }
    Ok(last.is_some_and(|event| event.kind == started(hook)))
}

fn started(hook: &Hook) -> EventKind {
    EventKind::HookStarted {
        stage: hook.stage.to_string(),
        origin: hook.origin.to_string(),
        command: text(&hook.command),
    }
}

fn text(command: &LifecycleCommand) -> String {
    let one = |single: &SingleCommand| match single {
        SingleCommand::Shell(line) => line.clone(),
        SingleCommand::Exec(words) => words.join(" "),
    };
    let parts = command.singles().into_iter().map(|(name, single)| match name.as_str() {
        "" => one(&single),
        name => format!("{name}: {}", one(&single)),
    });
    parts.collect::<Vec<_>>().join("; ").chars().take(500).collect()
}

/// Runs or follows one hook to its end: how it ended, and the failure if it failed.
async fn attempt(
    journey: &mut Journey<'_>,
    hook: &Hook,
    spec: &PodSpec,
    again: bool,
) -> Result<(EventKind, Option<Failure>), Trouble> {
    let stream = format!("hook:{}", hook.stage);
    if !again {
        journey.record(Vec::new(), vec![started(hook)]).await?;
    }
    journey.log.write(&stream, &format!("$ {}", text(&hook.command)));
    let minutes = journey.context.config.workspace.hook_minutes;
    let (runtime, id, log) = (journey.context.runtime.clone(), journey.id(), journey.log.clone());
    let singles = hook.command.singles();
    let runs = singles.iter().map(|(name, single)| {
        let mut words = vec!["hook".to_owned(), "run".to_owned(), "--key".to_owned(), key(hook, name)];
        words.extend(["--again".to_owned(), "--timeout".to_owned(), (u64::from(minutes) * 60).to_string()]);
        words.extend(inside::as_people(spec, &spec.workspace_folder));
        words.push("--".to_owned());
        words.extend(single.argv());
        let (runtime, log, stream) = (runtime.clone(), log.clone(), stream.clone());
        let key = key(hook, name);
        async move { follow(runtime.as_ref(), id, words, &key, log.as_ref(), &stream).await }
    });
    // Several commands of one hook run side by side, and all are waited for.
    let ended: Vec<Ended> = try_join_all(runs).await.in_step("hooks")?;
    if let Some(broken) = ended.iter().find(|e| e.exit == inside::INTERRUPTED) {
        return Err(interrupted(hook, broken));
    }
    let worst = ended.into_iter().find(|e| e.exit != 0);
    let exit = worst.as_ref().map_or(0, |e| e.exit);
    let finished = EventKind::HookFinished { stage: hook.stage.to_string(), exit };
    Ok((finished, worst.map(|ended| failure(hook, &ended, minutes))))
}

/// Follows one command to its own end: neither a broken stream nor a container that stops is one.
async fn follow(
    runtime: &dyn Runtime,
    id: WorkspaceId,
    words: Vec<String>,
    key: &str,
    log: &dyn LogSink,
    stream: &str,
) -> Result<Ended, RuntimeError> {
    loop {
        let process = inside::call(runtime, id, words.clone()).await?;
        let ended = output::follow(process, Some((log, stream))).await?;
        if ended.exit == 0 {
            return Ok(ended);
        }
        // The call may have ended otherwise than the hook, killed for want of memory or with the
        // container; the helper knows.
        let told = inside::ask(runtime, id, &["hook", "status", key]).await?.unwrap_or_default();
        match (told["state"].as_str(), told["exit"].as_i64()) {
            (Some("running"), _) => {}
            (Some("lost"), _) => return Ok(Ended { exit: inside::INTERRUPTED, ..ended }),
            (Some("done"), Some(exit)) => {
                let exit = if told["timed_out"] == true { inside::TIMED_OUT } else { exit };
                return Ok(Ended { exit, ..ended });
            }
            _ => return Ok(ended),
        }
    }
}

fn key(hook: &Hook, name: &str) -> String {
    if name.is_empty() { hook.key.clone() } else { format!("{}.{name}", hook.key).chars().take(60).collect() }
}

fn interrupted(hook: &Hook, ended: &Ended) -> Trouble {
    let message = format!("{} of {} was interrupted", hook.stage, hook.origin);
    let hint = "It is run again once the container is up.";
    Trouble::found("hooks", "hook-interrupted", message, hint, Class::Transient).with_output(&ended.last)
}

fn failure(hook: &Hook, ended: &Ended, minutes: u32) -> Failure {
    let (stage, origin) = (hook.stage, &hook.origin);
    let (code, message) = match ended.exit {
        inside::TIMED_OUT => ("hook-timed-out", format!("{stage} of {origin} did not end within {minutes} minutes")),
        exit => ("hook-failed", format!("{stage} of {origin} ended with exit code {exit}")),
    };
    let failure = Failure {
        step: "hooks".to_owned(),
        code: code.to_owned(),
        message,
        hint: Some("Later hooks were skipped. Mend the command in the open workspace, then rebuild.".to_owned()),
        retryable: false,
        output: None,
    };
    failure.with_output(ended.last.clone())
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
    let moment = entered.timestamp_micros();
    let mut done = Done::from(Change::Attached(entered));
    for hook in hooks_of(merged, Stage::PostAttach, "") {
        done.events.push(started(&hook));
        for (name, single) in hook.command.singles() {
            let key = format!("{}.{moment}", key(&hook, &name));
            let mut words = ["hook", "run", "--detach", "--key"].map(str::to_owned).to_vec();
            words.push(key);
            words.extend(inside::as_people(spec, &spec.workspace_folder));
            words.push("--".to_owned());
            words.extend(single.argv());
            let runtime = journey.context.runtime.as_ref();
            let process = inside::call(runtime, journey.id(), words).await;
            let ended = match process {
                Ok(process) => output::follow(process, None).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(ended) if ended.exit == 0 => {}
                Ok(ended) => done.changes.push(Change::Warned(failure(&hook, &ended, 0))),
                Err(RuntimeError::Gone) => return Err(Trouble::runtime("hooks", &RuntimeError::Gone)),
                Err(error) => return Err(Trouble::runtime("hooks", &error)),
            }
        }
    }
    Ok(done)
}
