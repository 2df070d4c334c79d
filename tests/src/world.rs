//! Everything a journey needs, on free ports and in temporary folders.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::engine;
use crate::git::GitServer;
use crate::server::Steading;

/// A server, a git server, and what they left behind.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub steading: Steading,
    /// The git server.
    pub git: GitServer,
    folder: TempDir,
    installation: String,
}

/// Where `script/test` has put the IDE bundle and the helper.
fn tools() -> Result<PathBuf> {
    let state = std::env::var("STEADING_STATE")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.steading"), PathBuf::from);
    let ide = state.join("ide");
    ensure!(ide.join("inside").exists(), "{} has no tools: run script/test", ide.display());
    Ok(ide)
}

impl World {
    /// Starts everything with the default settings of a test.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts everything with more settings, as environment variables.
    pub async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("steading-test-").tempdir()?;
        let git = GitServer::start().await?;
        let ide = tools()?;
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let bundle = ide.join(format!("steading-ide-{arch}.tar"));
        let image = std::env::var("STEADING_TEST_IMAGE").unwrap_or_else(|_| "steading.test/base:bookworm".to_owned());
        let name = image.rsplit_once(':').map_or(image.as_str(), |(name, _)| name);
        let own = [
            ("STEADING_IDE__BUNDLE", bundle.display().to_string()),
            ("STEADING_IDE__INSIDE", ide.join("inside").display().to_string()),
            // Every public image is the local one.
            ("STEADING_MIRRORS", format!("mcr.microsoft.com/devcontainers/base={name}")),
            ("STEADING_WORKSPACE__DEFAULT_IMAGE", image.clone()),
        ];
        let env: Vec<(String, String)> = own
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .chain(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).replace("{git}", git.host()))))
            .collect();
        let steading = Steading::start(folder.path(), &env, 0)?;
        let installation = steading.installation.clone();
        Ok(Self { steading, git, folder, installation })
    }

    /// The server's data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Fails if a container or volume of any workspace is still there.
    pub fn assert_nothing_left(&self) -> Result<()> {
        let containers = engine::containers(&self.installation).context("containers cannot be listed")?;
        ensure!(containers.is_empty(), "containers were left behind: {containers:?}");
        let volumes = engine::volumes(&self.installation)?;
        ensure!(volumes.is_empty(), "volumes were left behind: {volumes:?}");
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.steading.kill();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.steading.log());
        }
        engine::remove_all(&self.installation);
    }
}
