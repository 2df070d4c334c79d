//! Where containers live: the trait, and its vocabulary.
//!
//! Docker and Kubernetes fulfil it, a fake does for fast tests, and one conformance suite judges all.
//! Calls about workspaces are level-triggered and idempotent: asking twice is asking once.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fault::{Class, Fault};
use crate::id::WorkspaceId;
use crate::image::ImageRef;
use crate::log::LogSink;
use crate::pod::{ContainerName, PodSpec, SpecHash, VolumeRole};
use crate::service::ServiceName;

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

name! {
    /// One Docker host or one cluster.
    RuntimeId,
    /// *This* container: a new one after each replacement, the same after a restart.
    InstanceId,
    /// *This* volume: a new one when a lost volume was made again under its old name.
    VolumeId,
}

impl Default for RuntimeId {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

/// Bytes that arrive over time: a tar archive, mostly.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A byte stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What went wrong, for the caller.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The workspace's container is not there, or not running.
    #[error("the container is gone")]
    Gone,
    /// The image is not on the runtime (any more).
    #[error("image {0} is not there")]
    ImageGone(ImageRef),
    /// The image could not be pulled.
    #[error("image {image} could not be pulled: {reason}")]
    Pull {
        /// Which.
        image: ImageRef,
        /// What the registry or engine said.
        reason: String,
        /// Whether another try may succeed.
        class: Class,
    },
    /// The build failed.
    #[error("the build failed: {0}")]
    Build(String),
    /// The runtime understood and said no.
    #[error("the container engine refused: {0}")]
    Refused(String),
    /// The runtime has not got done with what it was asked before.
    #[error("the container engine is not done yet: {0}")]
    Busy(String),
    /// What was to be sent into a container could not be read to its end.
    #[error("the files could not be sent: {0}")]
    BrokeOff(String),
    /// No space is left where the engine keeps its data.
    #[error("the disk of the container engine is full: {0}")]
    DiskFull(String),
    /// The runtime does not answer.
    #[error("the container engine does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing listens on the port inside the workspace.
    #[error("nothing listens on port {0}")]
    NoListener(u16),
    /// This runtime cannot do it.
    #[error("this runtime cannot {0}")]
    Unsupported(&'static str),
    /// The tools to be mounted into workspaces are missing on this side.
    #[error("the workspace tools are missing: {0}")]
    NoTools(String),
}

impl Fault for RuntimeError {
    fn class(&self) -> Class {
        match self {
            Self::Gone
            | Self::ImageGone(_)
            | Self::Busy(_)
            | Self::Unreachable(_)
            | Self::NoListener(_)
            | Self::DiskFull(_)
            | Self::BrokeOff(_) => Class::Transient,
            Self::Pull { class, .. } => *class,
            Self::Build(_) | Self::Refused(_) | Self::Unsupported(_) | Self::NoTools(_) => Class::Permanent,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Gone => "container-gone",
            Self::ImageGone(_) => "image-gone",
            Self::Pull { .. } => "image-pull-failed",
            Self::Build(_) => "build-failed",
            Self::Refused(_) => "engine-refused",
            Self::Busy(_) => "engine-busy",
            Self::BrokeOff(_) => "files-broke-off",
            Self::DiskFull(_) => "disk-full",
            Self::Unreachable(_) => "engine-unreachable",
            Self::NoListener(_) => "no-listener",
            Self::Unsupported(_) => "unsupported",
            Self::NoTools(_) => "tools-missing",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Gone => "Start the workspace again; its files are on a volume and still there.".to_owned(),
            Self::ImageGone(_) => "It is pulled or built again by itself.".to_owned(),
            Self::Pull { image, class, .. } => match class {
                Class::Transient => {
                    format!("Check the network between the engine and {}, then start again.", image.registry())
                }
                Class::Permanent | Class::Denied => format!(
                    "Check the name and tag in the configuration, and that the engine may read from {}.",
                    image.registry()
                ),
            },
            Self::Build(_) => {
                "The build log shows the failing instruction; mend the Dockerfile and rebuild.".to_owned()
            }
            Self::Refused(_) => "Change what the configuration asks for, or ask the administrator.".to_owned(),
            Self::Busy(_) => {
                "It is tried again by itself; where that does not help, look at what keeps the engine busy, and restart it."
                    .to_owned()
            }
            Self::BrokeOff(_) => "Check the disk of the server's data folder, then start again.".to_owned(),
            Self::DiskFull(_) => {
                "Free space on the host (`docker system df` shows what takes it), then start again.".to_owned()
            }
            Self::Unreachable(_) => {
                "Check that the container engine runs and that Steading may use its socket.".to_owned()
            }
            Self::NoListener(port) => format!("Start the program that should listen on port {port}."),
            Self::Unsupported(_) => return None,
            Self::NoTools(_) => {
                "Make them with script/bootstrap and script/build in a checkout of Steading, or set ide.bundle and ide.inside."
                    .to_owned()
            }
        })
    }
}

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, RuntimeError>;

/// What a runtime says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeInfo {
    /// `docker`, `kubernetes` or `fake`; for people only.
    pub kind: String,
    /// The engine's version.
    pub version: String,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// CPUs of the host.
    pub cpus: u32,
    /// Memory of the host in bytes.
    pub memory: u64,
}

/// What is known of an image that is on the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageInfo {
    /// What to start it by, immune to a moving tag.
    pub id: String,
    /// Its configured user; empty means root.
    pub user: String,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its entry point.
    pub entrypoint: Vec<String>,
    /// Its command.
    pub command: Vec<String>,
    /// Its working folder.
    pub folder: String,
    /// Its architecture.
    pub arch: String,
}

/// A build from a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRequest {
    /// What the result is tagged as; a name of Steading's own.
    pub tag: ImageRef,
    /// Path of the Dockerfile inside the context archive.
    pub dockerfile: String,
    /// Stage to build; the last one if absent.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Images to take cached layers from.
    pub cache_from: Vec<ImageRef>,
    /// Labels to put on the image.
    pub labels: BTreeMap<String, String>,
}

/// An image that this installation built, by one of its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltImage {
    /// The name.
    pub name: ImageRef,
    /// What containers are started by.
    pub id: String,
}

/// What state a container is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ContainerState {
    /// It runs.
    Up,
    /// It is frozen; its memory is kept.
    Paused,
    /// It was made and has not run, or it ran and ended.
    Down {
        /// The exit code of the first process.
        exit: Option<i64>,
        /// The kernel killed it for memory.
        oom: bool,
        /// When it ended; absent if it never ran.
        finished_at: Option<DateTime<Utc>>,
    },
}

/// What the runtime shows of one workspace. An absent workspace is an empty one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Its containers; absent ones are not in the map.
    pub containers: BTreeMap<ContainerName, ContainerState>,
    /// The main container.
    pub instance: Option<InstanceId>,
    /// The spec that the main container was made from.
    pub spec: Option<SpecHash>,
    /// When the main container was last started.
    pub started_at: Option<DateTime<Utc>>,
    /// Its volumes.
    pub volumes: BTreeMap<VolumeRole, VolumeId>,
    /// Which services answer. The runtime leaves this empty; whoever drives the workspace asks them.
    pub services: BTreeMap<ServiceName, bool>,
}

impl Observed {
    /// The state of the main container, if it exists.
    #[must_use]
    pub fn main(&self) -> Option<&ContainerState> {
        self.containers.get(&ContainerName::main())
    }

    /// Whether the main container runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.main() == Some(&ContainerState::Up)
    }

    /// Whether nothing at all is left.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty()
    }
}

/// A command to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec {
    /// Which container; the main one if absent.
    pub container: Option<ContainerName>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// User: a name, a uid, or `uid:gid`. The container's own if absent.
    pub user: Option<String>,
    /// Folder; the container's own if absent.
    pub folder: Option<String>,
    /// Environment on top of the container's.
    pub env: BTreeMap<String, String>,
    /// A terminal of this many columns and rows; output is then one stream.
    pub tty: Option<(u16, u16)>,
    /// Whether standard input is connected.
    pub stdin: bool,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// From standard output, or from the terminal.
    Stdout(Bytes),
    /// From standard error.
    Stderr(Bytes),
}

/// A command that runs in a container. Dropping it leaves the command running and ends its standard input,
/// unless it has a terminal; so does the end of this process, however it comes.
pub struct Process {
    /// Standard input; shutting it down sends end of file.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Output until the command ends.
    pub output: BoxStream<'static, io::Result<Chunk>>,
    /// Its size and its end.
    pub control: Box<dyn ProcessControl>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

/// The side of a running command that is not bytes.
#[async_trait]
pub trait ProcessControl: Send + Sync {
    /// Tells the terminal its new size in columns and rows.
    async fn resize(&self, columns: u16, rows: u16) -> Result<()>;

    /// The exit code; call it after the output has ended.
    async fn exit_code(&self) -> Result<i64>;
}

/// Something happened to a container; a reason to look, never a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// A workspace's container started, died, was paused or removed.
    Changed(WorkspaceId),
    /// Events may have been missed: look at everything.
    Lost,
}

/// Tools that are mounted read-only into every workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolMount {
    /// What the runtime calls it; content-addressed, so an old workspace keeps its old tools.
    pub name: String,
    /// Where it is mounted.
    pub target: String,
}

/// Where containers live. `id` and `slug` name a workspace; everything else is found by label.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// What it is; also the cheapest way to see whether it answers.
    async fn info(&self) -> Result<RuntimeInfo>;

    /// The tools to mount into workspaces, delivered to this runtime if they are not there yet.
    async fn tools(&self) -> Result<Vec<ToolMount>>;

    /// What is known of an image that is there; `None` if it is not.
    async fn inspect(&self, image: &ImageRef) -> Result<Option<ImageInfo>>;

    /// Pulls an image and says what it is. Progress goes to the log as stream `pull`.
    async fn pull(&self, image: &ImageRef, log: &dyn LogSink) -> Result<ImageInfo>;

    /// Builds an image; the context is a tar archive. Output goes to the log as stream `build`.
    /// Dropping the future cancels the build.
    async fn build(&self, request: &BuildRequest, context: ByteStream, log: &dyn LogSink) -> Result<ImageInfo>;

    /// The images that this installation built, once for each name.
    async fn built(&self) -> Result<Vec<BuiltImage>>;

    /// Takes a name from an image that this installation built; with its last name the image goes. `false`
    /// if it stays, because a container was made from it or because it is not this installation's.
    async fn forget(&self, image: &ImageRef) -> Result<bool>;

    /// What is there of one workspace. Never fails on absence.
    async fn observe(&self, id: WorkspaceId) -> Result<Observed>;

    /// Brings the pod up as the spec says: volumes that are missing are made, a container from another
    /// spec is replaced, one that is down is started.
    async fn up(&self, spec: &PodSpec) -> Result<()>;

    /// Freezes the containers, keeping their memory.
    async fn pause(&self, id: WorkspaceId) -> Result<()>;

    /// Undoes [`Runtime::pause`].
    async fn resume(&self, id: WorkspaceId) -> Result<()>;

    /// Stops the containers, asking politely for `grace` first. Volumes stay.
    async fn down(&self, id: WorkspaceId, grace: Duration) -> Result<()>;

    /// Removes containers and volumes.
    async fn remove(&self, id: WorkspaceId) -> Result<()>;

    /// Every workspace of this installation that has anything here.
    async fn list(&self) -> Result<Vec<(WorkspaceId, Observed)>>;

    /// Unpacks a tar archive into a folder of the main container, which may be up or down. Owners are
    /// those in the archive, by number.
    async fn upload(&self, id: WorkspaceId, folder: &str, tar: ByteStream) -> Result<()>;

    /// Packs a path of the main container, which may be up or down; `None` if the path is not there.
    async fn download(&self, id: WorkspaceId, path: &str) -> Result<Option<ByteStream>>;

    /// Runs a command.
    async fn exec(&self, id: WorkspaceId, exec: Exec) -> Result<Process>;

    /// The last output of the main container's first process, at most `lines` lines.
    async fn output(&self, id: WorkspaceId, lines: usize) -> Result<String>;

    /// Connects to a TCP port inside the workspace, listeners on its loopback included: the one door in.
    async fn dial(&self, id: WorkspaceId, port: u16) -> Result<Box<dyn Duplex>>;

    /// What happens to containers of this installation, for ever; reconnects by itself.
    fn events(&self) -> BoxStream<'static, RuntimeEvent>;
}
