//! The Dev Container specification as a library.
//!
//! Text and facts go in, a plan comes out. Nothing here reads a disk, opens a socket or starts a
//! process. The pipeline, one arrow per module:
//!
//! [`discover()`] finds the files in a [`Tree`] → [`DevContainer::parse`] reads one →
//! [`metadata`] reads what the base image adds, [`feature`] finds what Features do → [`merge()`] folds the [`Layer`]s into [`Merged`] →
//! [`variables`] fills in what is known → [`build`] says what to make of it, and [`Merged::commands_of`]
//! what to run at each [`Stage`]. [`config_hash()`] says whether an image made ahead still fits.
//!
//! Behaviour follows the reference implementation where that and the text of the specification
//! differ.

pub mod build;
pub mod command;
pub mod config;
pub mod config_hash;
pub mod diagnostic;
pub mod discover;
pub mod dockerfile;
pub mod feature;
pub mod host;
pub mod identity;
pub mod jsonc;
pub mod layer;
pub mod merge;
pub mod merged;
pub mod metadata;
pub mod mount;
pub mod port;
pub mod properties;
pub mod reference;
pub mod run_args;
pub mod scenario;
pub mod stage;
pub mod variables;
pub mod vscode;
pub mod workspace;

pub use build::{BuildError, BuildPlan};
pub use command::{LifecycleCommand, SingleCommand};
pub use config::{DevContainer, Parsed};
pub use config_hash::config_hash;
pub use diagnostic::{Diagnostic, Severity, Span};
pub use discover::{Entry, Tree, discover};
pub use host::{Gpu, HostRequirements};
pub use layer::{Layer, Origin};
pub use merge::merge;
pub use merged::{Merged, SecretWish, ShutdownAction, UserEnvProbe};
pub use mount::{Mount, MountError, MountKind};
pub use port::{AppPort, ForwardPort, OnAutoForward, PortAttributes, PortProtocol};
pub use properties::Properties;
pub use run_args::{RunArgs, Ulimit};
pub use scenario::{Build, Compose, Scenario};
pub use stage::Stage;
pub use variables::{VariableError, Variables};
pub use vscode::VsCode;
pub use workspace::Workspace;
