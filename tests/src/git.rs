//! A git server over HTTP in a container, with the repositories of `fixtures/repos`.
//!
//! Its image is `script/images`' own unless STEADING_TEST_GIT_IMAGE names another one; it serves bare
//! repositories from `/srv/git` at `/git/NAME.git`, those in `/srv/git/private` only to whom
//! `/etc/lighttpd/git.users` names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use testcontainers::core::{IntoContainerPort as _, Mount, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use crate::engine;

/// The user who may read private repositories.
pub const USER: &str = "fox";
/// Their password: no word that stands anywhere by chance, as in the name of a workspace.
pub const PASSWORD: &str = "over-the-lazy-dog";

/// A running git server.
#[derive(Debug)]
pub struct GitServer {
    _container: ContainerAsync<GenericImage>,
    root: TempDir,
    address: String,
    bridge: String,
}

fn git(folder: &Path, args: &[&str]) -> Result<()> {
    let identity = ["-c", "user.name=Fox", "-c", "user.email=fox@example.com", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").args(identity).args(args).current_dir(folder).output()?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl GitServer {
    /// Makes repositories from the fixtures and serves them.
    pub async fn start() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let bare = root.path().join("git");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/repos");
        for entry in fs::read_dir(&fixtures)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let work = root.path().join("work").join(&name);
            copy(&entry.path(), &work)?;
            publish(&work, &bare, &name)?;
        }
        let users = root.path().join("users");
        fs::write(&users, format!("{USER}:{PASSWORD}\n"))?;
        let image = std::env::var("STEADING_TEST_GIT_IMAGE").unwrap_or_else(|_| "steading.test/git:latest".to_owned());
        let (name, tag) = image.rsplit_once(':').context("STEADING_TEST_GIT_IMAGE needs a tag")?;
        let container = GenericImage::new(name, tag)
            .with_exposed_port(80.tcp())
            .with_wait_for(WaitFor::message_on_stderr("git server ready"))
            .with_mount(Mount::bind_mount(bare.display().to_string(), "/srv/git"))
            .with_mount(Mount::bind_mount(users.display().to_string(), "/etc/lighttpd/git.users"))
            .start()
            .await
            .context("the git server does not start; script/images makes its image")?;
        let port = container.get_host_port_ipv4(80).await?;
        let bridge = format!("{}:{port}", engine::bridge()?);
        Ok(Self { _container: container, root, address: format!("http://127.0.0.1:{port}"), bridge })
    }

    /// The URL of a repository.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let folder = if name.starts_with("private-") { "private/" } else { "" };
        format!("{}/git/{folder}{name}.git", self.address)
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// The same as workspaces reach it, where the host is not isolated from them: `172.17.0.1:PORT`, usually.
    #[must_use]
    pub fn bridge(&self) -> &str {
        &self.bridge
    }

    /// The URL of a repository under that address.
    #[must_use]
    pub fn url_for_workspaces(&self, name: &str) -> String {
        self.url(name).replace(self.host(), self.bridge())
    }

    /// The subjects of all commits on a repository's main branch, as the server has them, newest first.
    pub fn subjects(&self, name: &str) -> Result<String> {
        let repository = bare(&self.root.path().join("git"), name).display().to_string();
        engine::command("git", &["--git-dir", &repository, "log", "--format=%s", "main"])
    }

    /// The working folder of a repository, to change it.
    #[must_use]
    pub fn work(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Commits everything in a working folder and pushes it.
    pub fn push(&self, name: &str, message: &str) -> Result<()> {
        let work = self.work(name);
        git(&work, &["add", "--all"])?;
        git(&work, &["commit", "--quiet", "--message", message])?;
        git(&work, &["push", "--quiet", "origin", "HEAD"])
    }
}

/// The folder of a bare repository.
fn bare(root: &Path, name: &str) -> PathBuf {
    let folder = if name.starts_with("private-") { root.join("private") } else { root.to_owned() };
    folder.join(format!("{name}.git"))
}

/// Two commits on main, a branch and a tag, pushed to a bare repository.
fn publish(work: &Path, root: &Path, name: &str) -> Result<()> {
    let target = bare(root, name);
    fs::create_dir_all(&target)?;
    // What the server's user writes, whoever runs the tests can remove.
    git(&target, &["init", "--quiet", "--bare", "--shared=0777"])?;
    git(&target, &["config", "http.receivepack", "true"])?;
    git(work, &["init", "--quiet"])?;
    git(work, &["add", "--all"])?;
    git(work, &["commit", "--quiet", "--message", "First"])?;
    fs::write(work.join("SECOND.md"), "A second commit.\n")?;
    git(work, &["add", "--all"])?;
    git(work, &["commit", "--quiet", "--message", "Second"])?;
    git(work, &["remote", "add", "origin", &target.display().to_string()])?;
    git(work, &["push", "--quiet", "origin", "main", "main~1:refs/heads/feature/old", "main~1:refs/tags/v1"])?;
    git(&target, &["update-server-info"])
}
