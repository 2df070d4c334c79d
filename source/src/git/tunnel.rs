//! The way to a repository over SSH: libgit2 connects to a listener on loopback, which carries the
//! bytes to an address that was looked at first, and hangs up when the host falls silent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::access::Address;
use super::client::Client;
use super::pace::Pace;
use super::wire::ssh_user;
use crate::error::GitError;

/// An open way. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Tunnel {
    url: String,
    verdict: Arc<Mutex<Option<GitError>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Tunnel {
    /// Connects to the host of an address.
    pub async fn open(client: &Client, address: &Address) -> Result<Self, GitError> {
        let (patience, seconds) = client.patience();
        let silent = GitError::Timeout { host: address.host.clone(), seconds };
        let remote = match timeout(patience, connect(client, address)).await {
            Ok(connected) => connected?,
            Err(_) => return Err(silent),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut url = address.url.clone();
        if url.username().is_empty() {
            let _ = url.set_username(ssh_user(address.key.as_ref()));
        }
        let _ = url.set_host(Some("127.0.0.1"));
        let _ = url.set_port(Some(listener.local_addr()?.port()));
        let slow = client.too_slow(&address.host);
        let verdict = Arc::new(Mutex::new(None));
        let task = tokio::spawn({
            let verdict = verdict.clone();
            async move {
                let Ok((local, _)) = listener.accept().await else { return };
                let why = match carry(local, remote, patience).await {
                    Ok(()) => return,
                    Err(Gone::Silent) => silent,
                    Err(Gone::Slow) => slow,
                };
                *verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            }
        });
        Ok(Self { url: url.into(), verdict, task })
    }

    /// What libgit2 is told to fetch from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Why the fetch failed, if the tunnel knows.
    pub fn verdict(&self) -> Option<GitError> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connect(client: &Client, address: &Address) -> Result<TcpStream, GitError> {
    let host = || address.host.clone();
    let name = address.url.host_str().unwrap_or_default();
    let unreachable = |reason: String| GitError::Unreachable { host: host(), reason };
    let found = match client.guard().resolve(name, address.url.port().unwrap_or(22)).await {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(GitError::Forbidden { host: host() });
        }
        Err(error) => return Err(unreachable(error.to_string())),
    };
    let mut last = "it has no address".to_owned();
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(unreachable(last))
}

/// Why a host is given up.
enum Gone {
    Silent,
    Slow,
}

/// Carries bytes both ways until one side ends; an error says why the host is given up.
async fn carry(local: TcpStream, remote: TcpStream, patience: Duration) -> Result<(), Gone> {
    let _ = (local.set_nodelay(true), remote.set_nodelay(true));
    let (mut local_read, mut local_write) = local.into_split();
    let (mut remote_read, mut remote_write) = remote.into_split();
    let up = async {
        let _ = tokio::io::copy(&mut local_read, &mut remote_write).await;
        let _ = remote_write.shutdown().await;
    };
    let down = async {
        let mut buffer = vec![0; 64 << 10];
        let mut pace = Pace::new(patience);
        loop {
            let asked = Instant::now();
            match timeout(patience, remote_read.read(&mut buffer)).await.map_err(|_| Gone::Silent)? {
                Ok(count) if count > 0 => {
                    if !pace.keeps_up(asked.elapsed(), count) {
                        return Err(Gone::Slow);
                    }
                    if local_write.write_all(&buffer[..count]).await.is_err() {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
        }
    };
    tokio::select! {
        () = async { up.await; std::future::pending().await } => Ok(()),
        ended = down => ended,
    }
}
