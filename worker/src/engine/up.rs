//! `Step::Up`: decide once what the runtime is asked for, and have it.

use devcontainer::run_args;
use steading_core::event::EventKind;
use steading_core::plan::{self, DEATHS};
use steading_core::pod::PodSpec;
use steading_core::pod::render::{self, Setting};
use steading_core::policy;
use steading_core::resolution::ImageSource;
use steading_core::runtime::{ContainerState, Observed};
use steading_core::workspace::{Change, HeldImage};
use steading_core::{Class, Phase};

use super::journey::{Done, Journey};
use super::{populate, resolve};
use crate::error::{In as _, Trouble};

/// How many of its last lines a container that keeps dying shows.
const LINES: usize = 40;

pub(super) async fn run(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    let mut changes = journey.showing(Phase::Starting);
    let mut events = Vec::new();
    let exhausted = count_death(journey, seen, &mut changes, &mut events);
    if exhausted {
        journey.record(changes, events).await?;
        return Err(keeps_dying(journey).await);
    }
    let spec = match journey.ws.spec.clone() {
        Some(spec) => spec,
        None => {
            let Some(image) = journey.ws.facts.image.clone() else { return Ok(Done::default()) };
            let (spec, story) = decide(journey, &image).await?;
            changes.push(Change::Spec(Box::new(spec.clone())));
            events.extend(story);
            spec
        }
    };
    journey.record(changes, events).await?;
    let context = journey.context;
    journey.log.write("container", &format!("Starting the container from {}", named(journey, &spec)));
    populate::pack_ahead(journey, &spec);
    // Whatever ended the last container, a port that was public is not so at the next start by oversight, not
    // even for the moment before that start is seen.
    context.store.ports().fall_back(journey.id()).await?;
    context.runtime.up(&spec).await.in_step("up")?;
    Ok(Done::default())
}

/// The container's image as people know it. It is started by its digest, which tells nobody anything.
fn named(journey: &Journey<'_>, spec: &PodSpec) -> String {
    match journey.ws.facts.resolution.as_ref().map(|resolution| &resolution.image) {
        Some(ImageSource::Pull { image }) => image.to_string(),
        Some(ImageSource::Build { dockerfile, .. }) => format!("the image that {dockerfile} makes"),
        None => spec.main.image.to_string(),
    }
}

/// Counts the death of the container that is there; `true` once it has died too often.
fn count_death(journey: &Journey<'_>, seen: &Observed, changes: &mut Vec<Change>, events: &mut Vec<EventKind>) -> bool {
    let known = &journey.ws.facts.deaths;
    let is_ours = journey.ws.spec.as_ref().is_some_and(|spec| seen.spec.as_ref() == Some(&spec.hash));
    let Some(ContainerState::Down { exit, oom, .. }) = seen.main().filter(|_| is_ours) else { return false };
    let deaths = plan::count_death(known, seen);
    let exhausted = deaths.count >= DEATHS;
    if deaths != *known {
        changes.push(Change::Deaths(deaths));
        events.push(EventKind::Died { exit: *exit, oom: *oom });
    }
    exhausted
}

async fn keeps_dying(journey: &Journey<'_>) -> Trouble {
    let output = journey.context.runtime.output(journey.id(), LINES).await.unwrap_or_default();
    let message = format!("the container died {DEATHS} times within a minute of its start");
    let hint = "Its last output may say why; mend the image or the configuration, then start or rebuild.";
    Trouble::found("up", "container-keeps-dying", message, hint, Class::Permanent).with_output(&output)
}

/// What the runtime is asked for, and what there is to tell about it.
async fn decide(journey: &mut Journey<'_>, held: &HeldImage) -> Result<(PodSpec, Vec<EventKind>), Trouble> {
    let context = journey.context;
    let known = journey.image.take().filter(|(image, _)| *image == held.image).map(|(_, info)| info);
    let info = match known {
        Some(info) => info,
        None => {
            let gone = || steading_core::runtime::RuntimeError::ImageGone(held.image.clone());
            context.runtime.inspect(&held.image).await.and_then(|info| info.ok_or_else(gone)).in_step("up")?
        }
    };
    let tools = context.tools().await.in_step("up")?;
    let file = render::file(&held.config);
    let args = run_args::parse_in(file, &held.config.run_args);
    let (admitted, refused) = policy::admit(file, &held.config, &args, &context.config.policy);
    let setting =
        Setting { workspace: &journey.ws, image: &held.image, info: &info, config: &context.config, tools: &tools };
    let (spec, notes) = render::render(&admitted, &setting);
    let story: Vec<_> = refused.iter().chain(&notes).map(resolve::event).collect();
    for note in refused.iter().chain(&notes) {
        journey.log.write("container", &note.to_string());
    }
    journey.image = Some((held.image.clone(), info));
    Ok((spec, story))
}
