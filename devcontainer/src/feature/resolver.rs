//! Which Features are installed, and in which order, told step by step to somebody who can look them up.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Feature, Lockfile, Manifest, Place, Reference, ReferenceError, Wish, graph, order};
use crate::config::DevContainer;

/// More Features than this nobody installs.
pub const MAX_FEATURES: usize = 200;
/// More references than this, of all Features together, are not followed.
pub const MAX_REFERENCES: usize = 1000;
/// A longer chain of Features that need each other was not written in good faith.
pub const MAX_DEPTH: usize = 50;

/// Something to look up before the order can be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Need {
    /// What to look up; never a release, which says nothing about what it needs.
    pub reference: Reference,
    /// The digest that it must have: the lockfile's, or the reference's own. An artifact's is that of its
    /// manifest, an archive's that of its bytes.
    pub digest: Option<String>,
    /// Whether it is only looked up to learn its other names, or that it exists. It will not be installed
    /// on this account.
    pub soft: bool,
}

/// What was found for a [`Need`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// An artifact of a registry.
    Artifact {
        /// Its manifest as the registry has it.
        manifest: Value,
        /// The digest of the manifest.
        digest: String,
        /// What the Feature says about itself: the annotation [`ANNOTATION`], or the file in its archive.
        metadata: Option<Manifest>,
    },
    /// A folder, or an archive.
    Files {
        /// What the Feature says about itself; `None` for an archive without the file.
        metadata: Option<Manifest>,
        /// The digest of an archive.
        digest: Option<String>,
    },
    /// There is no such thing.
    Missing,
    /// Nobody could say, which is enough to go on where the need is soft: the Feature is then known by its
    /// name alone. The reference gives up.
    Unreachable,
}

/// The annotation of an artifact that has the whole `devcontainer-feature.json`.
pub const ANNOTATION: &str = "dev.containers.metadata";
/// The media type that the configuration of an artifact's manifest must have.
pub const MEDIA_TYPE: &str = "application/vnd.devcontainers";

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Look these up, all at once if you like, and give what was found.
    Needs(Vec<Need>),
    /// The Features in the order in which they are installed.
    Done(Vec<Feature>),
}

/// Why there is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A text that names no Feature.
    #[error("{error}{}", wanted(.by))]
    Reference {
        /// What is wrong with it.
        error: ReferenceError,
        /// The Feature that names it; `None` if the configuration does.
        by: Option<String>,
    },
    /// A Feature that is nowhere.
    #[error("the Feature \"{id}\" was not found{}", wanted(.by))]
    Missing {
        /// The reference as written.
        id: String,
        /// The Feature that names it; `None` if the configuration does.
        by: Option<String>,
    },
    /// Features that wait for each other.
    #[error("these Features wait for each other: {}", .0.join(" → "))]
    Circle(Vec<String>),
    /// More than [`MAX_FEATURES`] or [`MAX_REFERENCES`].
    #[error("the Features of the configuration need more than {MAX_FEATURES} Features")]
    TooMany,
    /// A chain longer than [`MAX_DEPTH`].
    #[error("\"{0}\" is the end of more than {MAX_DEPTH} Features that need each other")]
    TooDeep(String),
}

fn wanted(by: &Option<String>) -> String {
    by.as_ref().map_or_else(String::new, |by| format!(", which the Feature \"{by}\" names"))
}

impl ResolveError {
    /// A stable code in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Reference { error, .. } => error.code(),
            Self::Missing { .. } => "feature-not-found",
            Self::Circle(_) => "feature-circle",
            Self::TooMany | Self::TooDeep(_) => "too-many-features",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Reference { error, .. } => error.hint(),
            Self::Missing { .. } => "check its name and version, and whether you must be signed in at its registry",
            Self::Circle(_) => "one of them must stop naming the next in \"dependsOn\" or \"installsAfter\"",
            Self::TooMany | Self::TooDeep(_) => "remove Features that need so many others",
        }
    }
}

/// Finds the order of Features without looking anything up itself.
///
/// Each step is worked out anew from what is known by then, so a resolver can be kept, sent or asked
/// twice. It ends: every need is named once, and their number is bounded.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    pub(super) wishes: Vec<Wish>,
    pub(super) place: Place,
    pub(super) first: Vec<String>,
    pub(super) lockfile: Lockfile,
    pub(super) known: HashMap<Need, Found>,
}

impl Resolver {
    /// For the Features of a configuration and some more, see [`Wish::all`]. Variables are substituted.
    #[must_use]
    pub fn new(config: &DevContainer, additional: &IndexMap<String, Value>) -> Self {
        Self {
            wishes: Wish::all(config, additional),
            place: Place::of(config),
            first: config.properties.strings("overrideFeatureInstallOrder"),
            ..Self::default()
        }
    }

    /// Pins what a lockfile has.
    #[must_use]
    pub fn locked(mut self, lockfile: Lockfile) -> Self {
        self.lockfile = lockfile;
        self
    }

    /// Says where the configuration is, for paths that are not relative to a repository.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// What is needed next, or the order.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn step(&self) -> Result<Step, ResolveError> {
        let graph = graph::build(self)?;
        if !graph.needs.is_empty() {
            return Ok(Step::Needs(graph.needs));
        }
        let order = order::rounds(&graph.nodes, &graph.accepted).map_err(ResolveError::Circle)?;
        Ok(Step::Done(order.into_iter().filter_map(|at| graph.nodes.get(at)).map(graph::Node::feature).collect()))
    }

    /// Gives what was found for a need.
    pub fn give(&mut self, need: &Need, found: Found) {
        self.known.insert(key(&need.reference, need.digest.clone()), found);
    }

    pub(super) fn known(&self, reference: &Reference, digest: Option<String>) -> Option<&Found> {
        self.known.get(&key(reference, digest))
    }
}

/// An answer does not depend on why it was asked for.
fn key(reference: &Reference, digest: Option<String>) -> Need {
    Need { reference: reference.clone(), digest, soft: false }
}
