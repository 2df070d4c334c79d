//! The persisted, user-facing form of an error.

use serde::{Deserialize, Serialize};

use crate::fault::{Class, Fault};

/// What went wrong with a workspace, as a person is told it: on a card, in JSON and in the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step it happened in: `resolve`, `build`, `up`, `populate`, `hooks`, `open`, …
    pub step: String,
    /// Stable, kebab-case.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether starting the workspace again may help without changing anything.
    pub retryable: bool,
    /// The last lines of output that belong to it, if there were any.
    pub output: Option<String>,
}

impl Failure {
    /// The failure that a fault in `step` becomes once no retry is left.
    pub fn from_fault(step: &str, fault: &(dyn Fault + '_)) -> Self {
        Self {
            step: step.to_owned(),
            code: fault.code().to_owned(),
            message: fault.to_string(),
            hint: fault.hint(),
            retryable: fault.class() == Class::Transient,
            output: None,
        }
    }

    /// The failure of a rebuild, whose workspace goes on as it was.
    #[must_use]
    pub fn of_rebuild(mut self) -> Self {
        self.message = format!("The rebuild failed, and the workspace is as it was before: {}", self.message);
        self.hint.get_or_insert_with(|| "Mend it in the workspace, then rebuild.".to_owned());
        self
    }

    /// What happened and what to do about it, for a log.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}. {hint}", self.message.trim_end_matches('.')),
            None => self.message.clone(),
        }
    }

    /// The same failure with the output that explains it.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<String>) -> Self {
        let output = output.into();
        self.output = (!output.trim().is_empty()).then_some(output);
        self
    }
}
