//! The connection to a Docker Engine, which may be away when we start.

use std::path::PathBuf;
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use steading_core::runtime::{Result, RuntimeError, RuntimeInfo};
use tokio::sync::OnceCell;

use crate::error;

/// Before an answer to an ordinary call is given up.
const PATIENCE: u64 = 120;
/// The same for calls that move data or wait for people's programs.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
    /// Host and port with TLS; certificates are where the `docker` command looks for them.
    Tls(String),
}

impl Address {
    /// Reads a setting; if it is empty, `DOCKER_HOST`; if that is empty too, the usual socket.
    fn parse(setting: &str) -> Result<Self> {
        let text =
            if setting.is_empty() { std::env::var("DOCKER_HOST").unwrap_or_default() } else { setting.to_owned() };
        if text.is_empty() {
            return Ok(Self::Unix(PathBuf::from("/var/run/docker.sock")));
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let tls = std::env::var("DOCKER_TLS_VERIFY").is_ok_and(|value| !value.is_empty());
        match text.split_once("://") {
            Some(("unix", path)) => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp" | "http", host)) if !tls => Ok(Self::Tcp(host.trim_end_matches('/').to_owned())),
            Some(("tcp" | "https", host)) => Ok(Self::Tls(host.trim_end_matches('/').to_owned())),
            _ => Err(RuntimeError::Refused(format!(
                "`{text}` is not the address of a Docker Engine; write `unix:///…`, `tcp://…` or `https://…`"
            ))),
        }
    }

    fn connect(&self) -> Result<bollard::Docker> {
        let client = match self {
            Self::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), PATIENCE, API_DEFAULT_VERSION)
            }
            Self::Tcp(host) => {
                bollard::Docker::connect_with_http(&format!("tcp://{host}"), PATIENCE, API_DEFAULT_VERSION)
            }
            Self::Tls(host) => bollard::Docker::connect_with_host(&format!("https://{host}")),
        };
        client.map_err(error::engine)
    }
}

/// One Docker Engine.
#[derive(Debug)]
pub struct Engine {
    address: Address,
    client: OnceCell<bollard::Docker>,
    info: OnceCell<RuntimeInfo>,
}

impl Engine {
    /// The engine at the address of the configuration. Nothing is asked of it yet.
    pub fn new(setting: &str) -> Result<Self> {
        Ok(Self { address: Address::parse(setting)?, client: OnceCell::new(), info: OnceCell::new() })
    }

    /// Where it listens.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it is on this machine, as far as the address says.
    pub const fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// A client that speaks the engine's version of the API.
    pub async fn client(&self) -> Result<bollard::Docker> {
        let connect = || async { self.address.connect()?.negotiate_version().await.map_err(error::engine) };
        self.client.get_or_try_init(connect).await.cloned()
    }

    /// The same for calls that may take hours.
    pub async fn patient(&self) -> Result<bollard::Docker> {
        Ok(self.client().await?.with_timeout(LONG))
    }

    /// What the engine and its host are; asked once.
    pub async fn facts(&self) -> Result<&RuntimeInfo> {
        self.info.get_or_try_init(|| self.ask()).await
    }

    /// What the engine and its host are, asked now.
    pub async fn ask(&self) -> Result<RuntimeInfo> {
        let info = self.client().await?.info().await.map_err(error::engine)?;
        let arch = match info.architecture.as_deref() {
            Some("x86_64" | "amd64") => "amd64",
            Some("aarch64" | "arm64") => "arm64",
            other => other.unwrap_or_default(),
        };
        Ok(RuntimeInfo {
            kind: "docker".to_owned(),
            version: info.server_version.unwrap_or_default(),
            arch: arch.to_owned(),
            cpus: u32::try_from(info.ncpu.unwrap_or_default()).unwrap_or_default(),
            memory: u64::try_from(info.mem_total.unwrap_or_default()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_writes_them() {
        assert_eq!(Address::parse("unix:///run/d.sock").unwrap(), Address::Unix("/run/d.sock".into()));
        assert_eq!(Address::parse("/run/d.sock").unwrap(), Address::Unix("/run/d.sock".into()));
        assert_eq!(Address::parse("https://h:2376").unwrap(), Address::Tls("h:2376".into()));
        assert!(Address::parse("ssh://h").is_err());
    }
}
