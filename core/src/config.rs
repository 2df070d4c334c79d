//! Everything that can be configured: one struct for each concern.
//!
//! Values come in layers (defaults, a TOML file, the environment, flags); [`layers`] folds them and
//! remembers which layer gave each value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

mod check;
mod credential;
pub mod layers;
mod schema;
mod text;

pub use credential::Credential;

/// Everything that can be configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it listens and how it is reached.
    pub server: Server,
    /// Where records are kept.
    pub database: Database,
    /// How workers are rung.
    pub queue: Queue,
    /// How people and programs sign in.
    pub auth: Auth,
    /// Which container engine, and how it is used.
    pub runtime: Runtime,
    /// The editor in the browser.
    pub ide: Ide,
    /// Where repositories may come from.
    pub source: Source,
    /// Who commits in workspaces.
    pub git: Git,
    /// What configurations may ask of the host.
    pub policy: Policy,
    /// What a workspace gets.
    pub workspace: Workspace,
    /// How work is done.
    pub worker: Worker,
    /// Stand-ins: a prefix of an image name or a URL (`ghcr.io`, `github.com/org`) → what replaces it.
    pub mirrors: BTreeMap<String, String>,
}

/// Where it listens and how it is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port for API, page and gateway.
    pub listen: SocketAddr,
    /// Folder for the database, logs, caches and tools.
    pub data_dir: PathBuf,
    /// The domain that workspaces live under: `<slug>.<domain>`.
    pub domain: String,
    /// `http` or `https`: what browsers see, where a TLS front stands before us.
    pub scheme: String,
    /// The port that browsers see; the listening port if absent.
    pub public_port: Option<u16>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from(".steading"),
            domain: "localhost".to_owned(),
            scheme: "http".to_owned(),
            public_port: None,
        }
    }
}

/// Where records are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`; empty means a SQLite file in the data folder.
    pub url: Secret<String>,
}

/// How workers are rung.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// `redis://…`; empty means a SQLite file in the data folder.
    pub url: Secret<String>,
}

/// How people and programs sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// A token with all rights, for automation; empty means none.
    pub admin_token: Secret<String>,
    /// How long a browser stays signed in, in hours.
    pub session_hours: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self { admin_token: Secret::default(), session_hours: 24 * 30 }
    }
}

/// Which container engine, and how it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// `docker`, or `fake` for trying the rest without an engine.
    pub kind: String,
    /// The engine's socket or URL; empty means DOCKER_HOST or the usual socket.
    pub docker_host: String,
    /// Keep workspaces and builds from reaching services of the host (needs the right to change its firewall).
    pub isolate_host: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { kind: "docker".to_owned(), docker_host: String::new(), isolate_host: true }
    }
}

/// The editor in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ide {
    /// The bundle that `templates/ide/build` makes; empty means `steading-ide-<arch>.tar` from `ide/` in the data
    /// folder or beside the executable, or from `share/steading/ide/` in its prefix.
    pub bundle: PathBuf,
    /// The static helper binary; empty means `inside` from one of the same places.
    pub inside: PathBuf,
    /// The port it listens on inside the container.
    pub port: u16,
    /// Base URL of the extension gallery.
    pub gallery: String,
}

impl Default for Ide {
    fn default() -> Self {
        Self {
            bundle: PathBuf::new(),
            inside: PathBuf::new(),
            port: 39_378,
            gallery: "https://open-vsx.org/vscode".to_owned(),
        }
    }
}

/// Where repositories may come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// Private, loopback and link-local addresses; absent means only while the server listens on loopback.
    pub allow_private: Option<bool>,
    /// Paths and `file:` URLs of this machine; absent means only while the server listens on loopback.
    pub allow_local: Option<bool>,
    /// Seconds before a silent remote is given up.
    pub timeout_seconds: u32,
    /// The largest repository, in MiB: as fetched, and again as its files.
    pub max_mib: u64,
    /// Minutes before a fetch is given up, however steadily it goes on.
    pub fetch_minutes: u32,
    /// Credentials by host (`git.example.com`, `git.example.com:3000`); without a port they are for the
    /// scheme's own.
    pub credentials: BTreeMap<String, Credential>,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            allow_private: None,
            allow_local: None,
            timeout_seconds: 30,
            max_mib: 4096,
            fetch_minutes: 60,
            credentials: BTreeMap::new(),
        }
    }
}

/// Who commits in workspaces, where the image does not say it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Git {
    /// `user.name` of commits; empty leaves it to the image.
    pub user_name: String,
    /// `user.email` of commits; empty leaves it to the image.
    pub user_email: String,
}

/// What configurations may ask of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `privileged: true`.
    pub privileged: bool,
    /// Folders of the host that may be mounted, each as a whole. Folders below them cannot be mounted alone: a
    /// workspace that has the folder could put a link to anywhere in their place. So list none within another.
    pub host_mounts: Vec<PathBuf>,
    /// Capabilities that may be added; `SYS_PTRACE` is a debugger's.
    pub capabilities: Vec<String>,
    /// Security options that may be set, as the engine spells them.
    pub security_options: Vec<String>,
    /// Devices of the host that may be given.
    pub devices: Vec<String>,
    /// Variables of the server that `${localEnv:NAME}` may read.
    pub local_env: Vec<String>,
}

/// What a workspace gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workspace {
    /// CPUs; clamped to what the host has.
    pub cpus: f64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Processes and threads.
    pub processes: u32,
    /// The uid that `updateRemoteUserUID` gives the remote user.
    pub uid: u32,
    /// The gid that goes with it.
    pub gid: u32,
    /// Minutes before a lifecycle hook is ended.
    pub hook_minutes: u32,
    /// The image of templates that name none of their own.
    pub default_image: String,
    /// Seconds between asking a container to stop and killing it.
    pub stop_seconds: u32,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            cpus: 2.0,
            memory_mib: 8192,
            processes: 4096,
            uid: 1000,
            gid: 1000,
            hook_minutes: 60,
            default_image: "mcr.microsoft.com/devcontainers/universal:2".to_owned(),
            stop_seconds: 10,
        }
    }
}

/// How work is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Workspaces driven at once.
    pub concurrency: u32,
    /// Seconds a lease lasts without renewal: how soon a dead worker's work is taken over.
    pub lease_seconds: u32,
    /// Seconds between sweeps.
    pub sweep_seconds: u32,
    /// Minutes before a build is ended.
    pub build_minutes: u32,
    /// Seconds the IDE may take to answer before that is an incident.
    pub open_seconds: u32,
}

impl Default for Worker {
    fn default() -> Self {
        Self { concurrency: 8, lease_seconds: 10, sweep_seconds: 5, build_minutes: 60, open_seconds: 60 }
    }
}

impl Config {
    /// Whether only this machine can reach the server.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.server.listen.ip().is_loopback()
    }

    /// Whether repositories may be at private addresses.
    #[must_use]
    pub fn may_fetch_private(&self) -> bool {
        self.source.allow_private.unwrap_or_else(|| self.is_loopback())
    }

    /// Whether repositories may be folders of this machine.
    #[must_use]
    pub fn may_fetch_local(&self) -> bool {
        self.source.allow_local.unwrap_or_else(|| self.is_loopback())
    }

    /// How URLs look from outside.
    #[must_use]
    pub fn public_url(&self) -> crate::route::PublicUrl {
        let port = self.server.public_port.unwrap_or_else(|| self.server.listen.port());
        let own = if self.server.scheme == "https" { 443 } else { 80 };
        crate::route::PublicUrl {
            scheme: self.server.scheme.clone(),
            domain: self.server.domain.clone(),
            port: (port != own).then_some(port),
        }
    }

    /// The limits of a new workspace.
    #[must_use]
    pub const fn limits(&self) -> crate::workspace::Limits {
        crate::workspace::Limits {
            cpus: self.workspace.cpus,
            memory: self.workspace.memory_mib << 20,
            processes: self.workspace.processes,
        }
    }
}
