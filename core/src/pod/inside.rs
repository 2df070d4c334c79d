//! What the helper in the container is told: the JSON of `STEADING_INSIDE` (inside/README.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::service::Service;

/// The variable that carries it.
pub const VARIABLE: &str = "STEADING_INSIDE";
/// The helper's path in every workspace.
pub const BINARY: &str = "/opt/steading/bin/inside";
/// The file that opens the gate; a bare name lies with the helper's own state.
pub const GATE: &str = "ready";

/// What the container is to do when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inside {
    /// The ids the remote user is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<Ids>,
    /// Trees that are given to the remote user, unless they are theirs already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub home_paths_to_chown: Vec<String>,
    /// What is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Start>,
    /// The file that the service waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The image's own command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Capabilities that the helper has and nothing it starts for people gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
}

/// New ids for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Who.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// Their gid.
    pub gid: u32,
}

/// A service to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Its name.
    pub name: String,
    /// As whom.
    pub user: String,
    /// Program and arguments.
    pub args: Vec<String>,
    /// Environment on top of the container's and of the probed one.
    pub env: BTreeMap<String, String>,
    /// The folder it starts in.
    pub cwd: String,
    /// How the user's environment is found out; absent: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
}

/// The image's own command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// As whom.
    pub user: String,
    /// Program and arguments.
    pub args: Vec<String>,
    /// The folder it starts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

impl Start {
    /// A service as the helper is told of it.
    #[must_use]
    pub fn of(service: &Service, probe: &str) -> Self {
        Self {
            name: service.name.0.clone(),
            user: service.user.clone(),
            args: service.command.clone(),
            env: service.env.clone(),
            cwd: service.folder.clone(),
            probe: (probe != "none").then(|| probe.to_owned()),
        }
    }
}
