//! What becomes of a step that did not succeed: it is tried again, the workspace is given up, or a rebuild of
//! it is.

use std::time::Duration;

use chrono::Utc;
use steading_core::event::EventKind;
use steading_core::failure::Failure;
use steading_core::plan::Step;
use steading_core::workspace::{Change, Retry};
use steading_core::{Class, Phase};
use steading_store::StoreError;

use super::Journey;
use crate::engine::{Rest, retry};
use crate::error::Trouble;

impl Journey<'_> {
    /// Records a step's end without success: it is tried again, or the workspace is given up. `were_open`
    /// says that people have been in the container that is there.
    pub(super) async fn failed(
        &mut self,
        step: &'static str,
        trouble: Trouble,
        were_open: bool,
    ) -> Result<Option<Rest>, StoreError> {
        let (failure, class, image_gone) = match trouble {
            Trouble::Store(error) => return Err(error),
            Trouble::ImageGone(failure) => (failure, Class::Transient, true),
            Trouble::Fault { failure, class } => (failure, class, false),
        };
        self.context.forget_tools().await;
        let attempts = retry::attempts(self.ws.retry.as_ref(), step, &failure.code);
        let limit = retry::limit(self.ws.desired, self.ws.phase, &failure, were_open);
        let may_help = class == Class::Transient || limit.is_none();
        tracing::info!(workspace.id = %self.id(), step, code = failure.code, attempts, "{}", failure.message);
        self.log.write(stream_of(step), &failure.in_one_line());
        if !may_help || limit.is_some_and(|limit| attempts >= limit) {
            let changes = self.given_up(*failure);
            self.record(changes, Vec::new()).await?;
            return Ok(None);
        }
        let wait = if image_gone {
            // Nothing gets better by waiting: it is pulled or built again at once.
            Duration::ZERO
        } else {
            retry::delay(attempts, &failure, rand::random())
        };
        let not_before = Utc::now() + wait;
        let retry = Retry { step: step.to_owned(), code: failure.code.clone(), attempts, not_before };
        let mut changes = vec![Change::Retry(retry)];
        if image_gone {
            self.image = None;
            changes.push(Change::ImageGone);
        }
        let event =
            EventKind::Retrying { step: step.to_owned(), attempt: attempts, message: failure.message, not_before };
        self.record(changes, vec![event]).await?;
        Ok(None)
    }

    /// A failure stands, or, if it is a rebuild's, the workspace is again what it was before.
    fn given_up(&mut self, failure: Failure) -> Vec<Change> {
        let Some(last) = &self.ws.facts.last else { return vec![Change::Failed(failure)] };
        self.log.write("container", "The rebuild is given up: the workspace goes back to what it was before");
        let mut changes = vec![Change::WentBack(failure.of_rebuild())];
        // As long as nothing was decided for the new container, the old one is untouched.
        if self.ws.spec.is_none() && last.phase == Phase::Running {
            changes.push(Change::Phase(Phase::Running));
        }
        (self.image, self.packing) = (None, None);
        changes
    }
}

/// The stream of the log that tells of a step.
const fn stream_of(step: &str) -> &str {
    match step.as_bytes() {
        b"resolve" => "resolve",
        b"build" => "build",
        b"populate" => "clone",
        b"hooks" => "hook",
        b"open" | b"extensions" => "ide",
        _ => "container",
    }
}

pub(super) fn circling(step: &Step) -> Trouble {
    Trouble::found(
        step.name(),
        "no-progress",
        format!("the step `{}` succeeds and leads nowhere", step.name()),
        "Look at the container; something removes what is made, or the engine tells other things than it does.",
        Class::Transient,
    )
}
