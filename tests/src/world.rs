//! Everything a journey needs, on free ports and in temporary folders.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::client::{Api, Workspace};
use crate::engine;
use crate::git::GitServer;
use crate::server::{self, Steading};
use crate::settings::Settings;

/// A server, a git server, and what they left behind.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub steading: Steading,
    /// The git server.
    pub git: Arc<GitServer>,
    folder: TempDir,
    installation: String,
}

/// Lays the IDE bundle and the helper, which `script/test` has put into the state folder, beside the binary
/// as `script/build` does: no server of ours is told where they are.
fn lay_tools() -> Result<()> {
    let state = std::env::var("STEADING_STATE")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.steading"), PathBuf::from);
    let ide = state.join("ide");
    ensure!(ide.join("inside").exists(), "{} has no tools: run script/test", ide.display());
    let (ide, beside) = (ide.canonicalize()?, server::binary()?.with_file_name("ide"));
    if beside.canonicalize().ok().as_ref() == Some(&ide) {
        return Ok(());
    }
    // Other tests may do the same at the same time; a rename leaves no moment without it.
    let fresh = beside.with_file_name(format!("ide.{}", std::process::id()));
    std::os::unix::fs::symlink(&ide, &fresh)?;
    std::fs::rename(&fresh, &beside).with_context(|| format!("{} cannot be laid", beside.display()))
}

/// The settings that let a server work without any registry.
fn usual() -> Result<Settings> {
    lay_tools()?;
    let image = std::env::var("STEADING_TEST_IMAGE").unwrap_or_else(|_| "steading.test/base:bookworm".to_owned());
    let name = image.rsplit_once(':').map_or(image.as_str(), |(name, _)| name);
    Ok(Settings::default()
        // Every public image is the local one.
        .env("STEADING_MIRRORS", &format!("mcr.microsoft.com/devcontainers/base={name}"))
        .env("STEADING_WORKSPACE__DEFAULT_IMAGE", &image))
}

/// Tells a story in a world of its own, and says what it left behind. Without a container engine it says
/// so and passes.
///
/// # Errors
/// When the story fails, or a container, volume or record of it is left.
pub async fn journey(settings: Settings, story: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
    if !engine::answers() {
        eprintln!("skipped: no Docker Engine");
        return Ok(());
    }
    let mut world = World::start_with(settings).await?;
    let told = match story(&mut world).await {
        Ok(()) => world.clear().await,
        failed => failed,
    };
    if told.is_err() {
        eprintln!("--- the server's log\n{}", world.steading.log());
    }
    told
}

/// Looks again and again until there is an answer; `None` if there is none in half a minute.
pub async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(found) = look().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

impl World {
    /// Starts everything, with a test's usual settings.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Settings::default()).await
    }

    /// The same with more settings.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start_with(settings: Settings) -> Result<Self> {
        Self::beside(Arc::new(GitServer::start().await?), settings)
    }

    /// Another server, with the git server of a world that is there.
    ///
    /// # Errors
    /// When it does not start.
    pub fn beside(git: Arc<GitServer>, settings: Settings) -> Result<Self> {
        let below = settings.below.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new().prefix("steading-test-").tempdir_in(below)?;
        let settings = settings.at(&git);
        std::fs::write(folder.path().join("steading.toml"), &settings.file)?;
        let mut env = usual()?.env;
        env.extend(settings.env);
        let steading = Steading::start(folder.path(), &env, 0)?;
        let installation = steading.installation.clone();
        Ok(Self { steading, git, folder, installation })
    }

    /// The server's data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The id on everything that its server makes.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The API with the local token.
    #[must_use]
    pub fn api(&self) -> Api {
        self.steading.api()
    }

    /// A running workspace from one of the git server's repositories.
    ///
    /// # Errors
    /// When it does not come to run.
    pub async fn run(&self, repository: &str) -> Result<Workspace> {
        self.run_source(&self.git.url(repository)).await
    }

    /// A running workspace from a source.
    ///
    /// # Errors
    /// When it does not come to run.
    pub async fn run_source(&self, source: &str) -> Result<Workspace> {
        let api = self.api();
        let made = api.create(source).await.with_context(|| format!("{source} was refused"))?;
        api.until(made.id(), &["running"]).await.with_context(|| format!("{source} does not run"))
    }

    /// Fails unless a command in a workspace ends well and says just this.
    ///
    /// # Errors
    /// When it does not.
    pub async fn says(&self, workspace: &Workspace, script: &str, expected: &str) -> Result<()> {
        let (exit, said) = self.api().exec(workspace.id(), script).await?;
        ensure!(exit == 0 && said.trim_end() == expected, "`{script}` ended with {exit}: {said:?}, not {expected:?}");
        Ok(())
    }

    /// The same for what comes about in a while.
    ///
    /// # Errors
    /// When it does not come about.
    pub async fn comes_to_say(&self, workspace: &Workspace, script: &str, expected: &str) -> Result<()> {
        match eventually(async || self.says(workspace, script, expected).await.ok()).await {
            Some(()) => Ok(()),
            None => self.says(workspace, script, expected).await,
        }
    }

    /// The engine's id of a workspace's one container.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn container(&self, workspace: &str) -> Result<String> {
        let id = engine::docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &engine::of(workspace)])?;
        ensure!(id.lines().count() == 1, "{workspace} has not one container: {id:?}");
        Ok(id)
    }

    /// Deletes every workspace, and fails if anything of one is left.
    ///
    /// # Errors
    /// When something is left.
    pub async fn clear(&self) -> Result<()> {
        let api = self.api();
        let all = api.list().await?;
        for workspace in &all {
            api.delete_soon(workspace.id()).await?;
        }
        for workspace in &all {
            api.gone(workspace.id()).await?;
        }
        self.assert_nothing_left()
    }

    /// Fails if a container or volume of any workspace is still there.
    ///
    /// # Errors
    /// When something is left.
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
