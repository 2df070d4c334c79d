//! Why a source cannot be resolved.

use devcontainer::{Diagnostic, VariableError};
use steading_core::fault::{Class, Fault};

use crate::error::GitError;

/// Why a source cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The repository cannot be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The configuration cannot be used at all.
    #[error("{}", place(.0))]
    Broken(Box<Diagnostic>),
    /// The wished configuration is not in the repository.
    #[error("the repository has no configuration `{wished}`")]
    NoConfig {
        /// What was asked for.
        wished: String,
        /// What is there.
        choices: Vec<String>,
    },
    /// The wished template does not exist.
    #[error("there is no template `{wished}`")]
    NoTemplate {
        /// What was asked for.
        wished: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The configuration is made of Compose files.
    #[error("{file} uses Compose files, which are not supported yet")]
    Compose {
        /// The configuration.
        file: String,
    },
    /// The Dockerfile that the configuration names is not there.
    #[error("{file} names the Dockerfile `{dockerfile}`, which is not in the repository")]
    NoDockerfile {
        /// The configuration.
        file: String,
        /// The Dockerfile, from the root of the repository.
        dockerfile: String,
    },
    /// A path of the build leads out of the repository.
    #[error("{file} names `{path}`, which is outside the repository")]
    Outside {
        /// The configuration.
        file: String,
        /// The path as written.
        path: String,
    },
    /// A variable in the configuration cannot be filled in.
    #[error("a variable in the configuration cannot be filled in")]
    Variable(#[source] VariableError),
    /// The source is not a repository.
    #[error("only repositories can be resolved yet")]
    NoRepository,
    /// The work was broken off.
    #[error("the files could not be read to the end")]
    BrokeOff,
}

/// `file:line:column: message`.
fn place(finding: &Diagnostic) -> String {
    match finding.span {
        Some(span) => format!("{}:{}:{}: {}", finding.file, span.line, span.column, finding.message),
        None => format!("{}: {}", finding.file, finding.message),
    }
}

impl Fault for ResolveError {
    fn class(&self) -> Class {
        match self {
            Self::Git(error) => error.class(),
            Self::BrokeOff => Class::Transient,
            _ => Class::Permanent,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Git(error) => error.code(),
            Self::Broken(_) => "broken-configuration",
            Self::NoConfig { .. } => "configuration-not-found",
            Self::NoTemplate { .. } => "template-not-found",
            Self::Compose { .. } => "compose-not-supported-yet",
            Self::NoDockerfile { .. } => "dockerfile-not-found",
            Self::Outside { .. } => "path-outside-repository",
            Self::Variable(error) => error.code(),
            Self::NoRepository => "source-not-supported-yet",
            Self::BrokeOff => "resolve-broke-off",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Git(error) => error.hint(),
            Self::Broken(finding) => {
                Some(finding.hint.clone().unwrap_or_else(|| "Mend the file, or choose a template instead.".to_owned()))
            }
            Self::NoConfig { choices, .. } if choices.is_empty() => {
                Some("It has none at all: leave the choice away to use a template.".to_owned())
            }
            Self::NoConfig { choices, .. } => Some(format!("Choose one of {}.", choices.join(", "))),
            Self::NoTemplate { known, .. } => Some(format!("Choose one of {}.", known.join(", "))),
            Self::Compose { .. } => {
                Some("Choose a template or another configuration of the repository for now.".to_owned())
            }
            Self::NoDockerfile { .. } => {
                Some("Paths in build.dockerfile start at the folder of the devcontainer.json.".to_owned())
            }
            Self::Outside { .. } => Some("Keep the Dockerfile and the build context inside the repository.".to_owned()),
            Self::Variable(error) => Some(format!("{error}.")),
            Self::NoRepository => Some("Paste the address of a Git repository.".to_owned()),
            Self::BrokeOff => Some("Try again.".to_owned()),
        }
    }
}
