//! A way to the container engine that can be cut: an engine that is not running, or is restarted.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// A socket in a folder that leads to the engine while it is open.
#[derive(Debug)]
pub struct Proxy {
    path: PathBuf,
    open: Option<JoinHandle<()>>,
}

/// The engine's own socket.
fn engine() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned()
}

impl Proxy {
    /// A way that is not there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("engine.sock"), open: None }
    }

    /// What a server is told: `unix://…`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Lets connections through from now on.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(&mut self) -> Result<()> {
        self.cut();
        let listener = UnixListener::bind(&self.path)?;
        self.open = Some(tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut engine) = UnixStream::connect(engine()).await {
                        let _ = copy_bidirectional(&mut client, &mut engine).await;
                    }
                });
            }
        }));
        Ok(())
    }

    /// Breaks every connection, and takes the socket away.
    pub fn cut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}
