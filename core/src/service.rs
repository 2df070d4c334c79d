//! What a workspace serves: the IDE first, others beside it later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names a service within a workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(pub String);

impl ServiceName {
    /// The IDE, which answers at the workspace's own host name.
    #[must_use]
    pub fn ide() -> Self {
        Self("ide".to_owned())
    }
}

/// A process in the main container that answers HTTP on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The TCP port it listens on inside the container.
    pub port: u16,
    /// The path that answers 2xx or 3xx once people can use it, not merely once the process lives.
    pub ready_path: String,
    /// The user it runs as.
    pub user: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Its environment on top of the container's and of the probed one.
    pub env: BTreeMap<String, String>,
    /// The folder it starts in.
    pub folder: String,
}
