//! What a runtime is asked for: one main container, later sidecars, their volumes and limits.
//!
//! A workspace is a pod: on Docker a container (with its sidecars in one network namespace), on
//! Kubernetes a Pod. The spec is decided once, at create or rebuild, and stored; a new version of
//! Steading never renders it again by itself, nor names it anew.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::WorkspaceId;
use crate::image::ImageRef;
use crate::service::Service;
use crate::slug::Slug;
use crate::workspace::Limits;

pub mod credential;
pub mod inside;
pub mod render;
pub mod variables;

/// Names a container within a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerName(pub String);

impl ContainerName {
    /// The container that people work in.
    #[must_use]
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

/// What a volume of a workspace is for. Volumes outlive containers and go with the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeRole {
    /// The repository.
    Workspace,
    /// What services keep between containers: the IDE's user data and extensions.
    State,
    /// The remote user's home, where it is kept apart from the container.
    Home,
}

impl VolumeRole {
    /// The last part of the volume's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::State => "state",
            Self::Home => "home",
        }
    }
}

/// What is mounted where in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Mount {
    /// One of the workspace's own volumes.
    Own {
        /// Which.
        role: VolumeRole,
        /// Absolute path in the container.
        target: String,
    },
    /// A volume by a name of the configuration's; scoped to the installation and the owner's workspaces.
    Named {
        /// The name as written.
        name: String,
        /// Absolute path in the container.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// A folder of the host; only where the policy admits it.
    Bind {
        /// Absolute path on the host.
        source: String,
        /// Absolute path in the container.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// Memory.
    Tmpfs {
        /// Absolute path in the container.
        target: String,
        /// Size in bytes; the engine's default if absent.
        size: Option<u64>,
    },
    /// Tools that the runtime delivers read-only: the IDE bundle, the helper binary.
    Tools {
        /// What [`crate::runtime::Runtime::tools`] called it.
        name: String,
        /// Absolute path in the container.
        target: String,
    },
}

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Its name within the pod.
    pub name: ContainerName,
    /// The image to start, by what the runtime calls it.
    pub image: ImageRef,
    /// The user of the first process: a name, a uid, or `uid:gid`.
    pub user: String,
    /// The image's entry point is replaced by this; empty means none.
    pub entrypoint: Vec<String>,
    /// The command after the entry point.
    pub command: Vec<String>,
    /// The folder the first process starts in; the image's if absent.
    pub folder: Option<String>,
    /// Environment on top of the image's.
    pub env: BTreeMap<String, String>,
    /// What is mounted where, in order.
    pub mounts: Vec<Mount>,
    /// An init process reaps zombies and forwards signals.
    pub init: bool,
    /// All capabilities and devices; only where the policy admits it.
    pub privileged: bool,
    /// Linux capabilities to add.
    pub cap_add: Vec<String>,
    /// Linux capabilities to take away.
    #[serde(default)]
    pub cap_drop: Vec<String>,
    /// Devices of the host, each as `host[:container[:rwm]]`; only where the policy admits them.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Security options as the engine spells them.
    pub security_opt: Vec<String>,
    /// The container's host name.
    pub hostname: String,
    /// `name:address` lines for the hosts file.
    pub extra_hosts: Vec<String>,
    /// Size of /dev/shm in bytes; the engine's default if absent.
    pub shm_size: Option<u64>,
    /// Extra groups of the first process.
    pub group_add: Vec<String>,
    /// Resource limits: `name` → (soft, hard).
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// Kernel parameters of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Labels of the configuration's own; Steading's are added by the runtime.
    pub labels: BTreeMap<String, String>,
}

/// What a runtime is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodSpec {
    /// Whose pod.
    pub workspace: WorkspaceId,
    /// All names derive from it.
    pub slug: Slug,
    /// The container that people work in.
    pub main: ContainerSpec,
    /// Others that share its network; Compose services become these.
    pub sidecars: Vec<ContainerSpec>,
    /// The volumes to have.
    pub volumes: Vec<VolumeRole>,
    /// What the main container serves.
    pub services: Vec<Service>,
    /// What the runtime enforces on the pod.
    pub limits: Limits,
    /// The user that people work as.
    pub remote_user: String,
    /// The configuration's folder, inside the container: hooks run in it.
    pub workspace_folder: String,
    /// The folder that people get to see first, where a link asked for another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_folder: Option<String>,
    /// Where the workspace volume is mounted: the repository's root.
    pub workspace_root: String,
    /// Environment of every process that people or hooks start, on top of the container's;
    /// `None` unsets.
    pub remote_env: BTreeMap<String, Option<String>>,
    /// How the remote user's environment is probed (`userEnvProbe`): `none`, `loginShell`, …
    pub env_probe: String,
    /// Its name, given by [`PodSpec::sealed`] when it was decided. It is kept and never computed again: a
    /// later version writes a spec in other words, and no container may be replaced for that.
    pub hash: SpecHash,
}

/// Names a spec; a label on the container carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecHash(pub String);

impl PodSpec {
    /// The folder that the IDE and terminals open.
    #[must_use]
    pub fn opened(&self) -> &str {
        self.linked_folder.as_deref().unwrap_or(&self.workspace_folder)
    }

    /// The same spec, named by everything in it. The owner is not in it, so that a claim changes nothing.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = SpecHash::default();
        // Serialising a value made of maps with string keys cannot fail; an empty text is the total fallback.
        let text = serde_json::to_string(&self).unwrap_or_default();
        self.hash = SpecHash(hex::encode(Sha256::digest(text.as_bytes()))[..16].to_owned());
        self
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
