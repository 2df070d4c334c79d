//! What can end a step early.

use steading_core::failure::Failure;
use steading_core::fault::{Class, Fault};
use steading_core::report;
use steading_core::runtime::RuntimeError;
use steading_store::StoreError;

/// What ended a step early.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The record could not be written: the lease is lost, the owner changed their mind, or the
    /// database does not answer.
    Store(StoreError),
    /// The image that the spec names is not on the runtime any more.
    ImageGone(Box<Failure>),
    /// The step failed.
    Fault {
        /// As people are told it.
        failure: Box<Failure>,
        /// Whether trying again can help.
        class: Class,
    },
}

impl Trouble {
    /// A fault of some adapter in a step; the chain behind it goes to the log of the process.
    pub(crate) fn of(step: &'static str, fault: &(dyn Fault + '_)) -> Self {
        let chain = chain(fault);
        let failure = Failure::from_fault(step, fault);
        if chain != failure.message {
            tracing::debug!(step, cause = %chain, "a step failed");
        }
        Self::Fault { failure: Box::new(failure), class: fault.class() }
    }

    /// A fault that the worker itself found.
    pub(crate) fn found(step: &'static str, code: &str, message: String, hint: &str, class: Class) -> Self {
        let failure = Failure {
            step: step.to_owned(),
            code: code.to_owned(),
            message,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            retryable: class == Class::Transient,
            output: None,
        };
        Self::Fault { failure: Box::new(failure), class }
    }

    /// A fault of the runtime in a step.
    pub(crate) fn runtime(step: &'static str, error: &RuntimeError) -> Self {
        match error {
            RuntimeError::ImageGone(_) => Self::ImageGone(Box::new(Failure::from_fault(step, error))),
            other => Self::of(step, other),
        }
    }

    /// The same with the output that explains it.
    pub(crate) fn with_output(self, output: &str) -> Self {
        match self {
            Self::Fault { failure, class } if failure.output.is_none() => {
                Self::Fault { failure: Box::new(failure.with_output(output)), class }
            }
            other => other,
        }
    }
}

fn chain(fault: &(dyn Fault + '_)) -> String {
    let mut line = fault.to_string();
    if let Some(source) = std::error::Error::source(fault) {
        line.push_str(": ");
        line.push_str(&report::chain(source));
    }
    line
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Turns a runtime's result into a step's.
pub(crate) trait In<T> {
    /// The same, told as part of `step`.
    fn in_step(self, step: &'static str) -> Result<T, Trouble>;
}

impl<T> In<T> for Result<T, RuntimeError> {
    fn in_step(self, step: &'static str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::runtime(step, &error))
    }
}
