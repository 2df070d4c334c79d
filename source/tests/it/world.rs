//! A folder with repositories, a server in front of it, and an empty cache.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use steading_core::Source;
use steading_core::config::Config;
use steading_core::log::LogSink;
use steading_core::source::GitSource;
use steading_source::{Checkout, Git, Resolver};
use tempfile::TempDir;

use crate::server::Server;

pub struct World {
    pub root: TempDir,
    pub server: Server,
}

impl World {
    pub async fn new() -> Self {
        let root = TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("repos")).unwrap();
        let server = Server::start(&root.path().join("repos")).await;
        Self { root, server }
    }

    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.server.data_dir = self.root.path().join("data");
        config.source.timeout_seconds = 1;
        config
    }

    pub fn git(&self) -> Git {
        Git::new(&self.config()).unwrap()
    }

    pub fn resolver(&self) -> Resolver {
        Resolver::new(self.git(), &self.config()).unwrap()
    }

    /// A repository with one commit on `main`.
    pub fn repo(&self, name: &str, files: &[(&str, &str)]) -> Repo {
        let path = self.root.path().join("repos").join(name);
        std::fs::create_dir_all(&path).unwrap();
        let repo = Repo { path };
        repo.git(&["init", "-q", "-b", "main"]);
        repo.commit(files);
        repo
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.server.url)
    }
}

pub fn source(text: &str) -> GitSource {
    match Source::parse(text, true).unwrap() {
        Source::Git(git) => git,
        other => panic!("{other:?}"),
    }
}

#[derive(Clone)]
pub struct Repo {
    pub path: PathBuf,
}

impl Repo {
    pub fn git(&self, args: &[&str]) -> String {
        git_in(&self.path, args)
    }

    pub fn write(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = self.path.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        self.write(files);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        self.head()
    }

    /// A tree made by hand, from lines as `git ls-tree` prints them.
    pub fn tree(&self, lines: &str) -> String {
        let file = self.path.with_extension("tree");
        std::fs::write(&file, lines).unwrap();
        let made = Command::new("git").arg("mktree").current_dir(&self.path).stdin(File::open(file).unwrap()).output();
        String::from_utf8(made.unwrap().stdout).unwrap().trim().to_owned()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Runs git with nobody's configuration.
pub fn git_in(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false"])
        .args(args)
        .current_dir(folder)
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@example.com")])
        .envs([("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@example.com")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(output.status.success(), "git {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Unpacks a checkout as the engine would, and says whom its entries belong to.
pub async fn unpack(checkout: Checkout) -> (TempDir, Vec<(u64, u64)>) {
    let chunks: Vec<_> = checkout.tar.try_collect().await.unwrap();
    let bytes = chunks.concat();
    let folder = TempDir::new().unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    archive.set_preserve_mtime(true);
    archive.set_preserve_permissions(true);
    archive.unpack(folder.path()).unwrap();
    let owner = |entry: tar::Entry<'_, &[u8]>| (entry.header().uid().unwrap(), entry.header().gid().unwrap());
    let mut owners: Vec<_> =
        tar::Archive::new(bytes.as_slice()).entries().unwrap().map(|e| owner(e.unwrap())).collect();
    owners.sort_unstable();
    owners.dedup();
    (folder, owners)
}

/// Keeps what is logged.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<String>>);

impl LogSink for Kept {
    fn write(&self, stream: &str, text: &str) {
        let mut kept = self.0.lock().unwrap();
        kept.push_str(&format!("{stream}: {text}\n"));
    }
}
