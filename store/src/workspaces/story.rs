//! The events that changes bring with them. Pure.

use steading_core::Workspace;
use steading_core::event::EventKind;
use steading_core::workspace::Change;

/// The caller's events, then those that follow from the changes: each phase that really is another one,
/// failures, warnings, retries. A kind that the caller tells better is not told twice.
pub(super) fn of(before: &Workspace, changes: &[Change], events: Vec<EventKind>) -> Vec<EventKind> {
    let mut story = events;
    let retry_told = story.iter().any(|e| matches!(e, EventKind::Retrying { .. }));
    let mut phase = before.phase;
    for change in changes {
        match change {
            Change::Phase(new) if *new != phase => {
                phase = *new;
                story.push(EventKind::Phase { phase });
            }
            Change::Failed(failure) => push_new(&mut story, EventKind::Failed { failure: failure.clone() }),
            Change::WentBack(failure) => push_new(&mut story, EventKind::Warned { failure: failure.clone() }),
            Change::Warned(failure) if !before.warnings.contains(failure) => {
                push_new(&mut story, EventKind::Warned { failure: failure.clone() });
            }
            Change::Retry(retry) if !retry_told => story.push(EventKind::Retrying {
                step: retry.step.clone(),
                attempt: retry.attempts,
                message: format!("`{}` did not work and is tried again", retry.step),
                not_before: retry.not_before,
            }),
            _ => {}
        }
    }
    story
}

fn push_new(story: &mut Vec<EventKind>, event: EventKind) {
    if !story.contains(&event) {
        story.push(event);
    }
}
