//! What the rows stand on: small repositories, and servers on folders of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use steading_tests::{Steading, engine};
use tempfile::TempDir;

/// The image of every workspace and floor.
pub fn image() -> String {
    std::env::var("STEADING_BENCH_IMAGE").unwrap_or_else(|_| "steading.test/base:bookworm".to_owned())
}

/// A temporary folder of ours.
pub fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("steading-bench-").tempdir()?)
}

/// Makes a small repository; with a remote user if one is named.
pub fn repository(parent: &Path, name: &str, remote_user: Option<&str>) -> Result<PathBuf> {
    let root = parent.join(name);
    std::fs::create_dir_all(root.join(".devcontainer"))?;
    std::fs::create_dir_all(root.join("src"))?;
    let mut configuration = json!({ "image": image() });
    if let Some(user) = remote_user {
        configuration["remoteUser"] = user.into();
    }
    std::fs::write(root.join(".devcontainer/devcontainer.json"), format!("{configuration:#}\n"))?;
    std::fs::write(root.join("README.md"), format!("# {name}\n"))?;
    std::fs::write(root.join("src/main.rs"), "fn main() {\n    println!(\"hello\");\n}\n")?;
    git(&root, &["init", "--quiet", "--initial-branch=main"])?;
    git(&root, &["add", "--all"])?;
    git(
        &root,
        &["-c", "user.name=Fox", "-c", "user.email=fox@example.com", "commit", "--quiet", "--message", "First"],
    )?;
    Ok(root)
}

fn git(folder: &Path, words: &[&str]) -> Result<()> {
    let done = Command::new("git").args(words).current_dir(folder).output().context("git cannot be run")?;
    if !done.status.success() {
        bail!("git {}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// A server with real containers. What it has made goes with it.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub steading: Steading,
    /// Its data folder; repositories can lie in it, too.
    pub folder: TempDir,
}

impl Server {
    /// Starts the release binary that STEADING_BIN names, on a port of its own.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = folder()?;
        let env: Vec<(String, String)> = settings.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let steading = Steading::start(folder.path(), &env, 0)?;
        Ok(Self { steading, folder })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.steading.kill();
        engine::remove_all(&self.steading.installation);
    }
}
