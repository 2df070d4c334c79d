//! The cache of repositories: one bare repository for each address, fetched into only when a commit is
//! not there yet.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use git2::{Config, ConfigLevel, Oid, Repository, RepositoryInitOptions, RepositoryOpenFlags};
use sha2::{Digest, Sha256};
use steading_core::source::{Commit, GitUrl};

use crate::error::GitError;
use crate::tidy::Kept;

/// All cached repositories.
#[derive(Debug)]
pub(crate) struct Mirrors {
    folder: PathBuf,
    locks: Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>,
}

/// One cached repository, which may not be there yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mirror {
    /// Its folder.
    pub path: PathBuf,
}

/// The right to write into one mirror: nobody else in this process or another has it.
#[derive(Debug)]
pub(crate) struct Held {
    _process: tokio::sync::OwnedMutexGuard<()>,
    _file: File,
}

impl Mirrors {
    /// The cache in a folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, locks: Mutex::default() }
    }

    /// The mirror of a repository. A secret in the URL gives it a mirror of its own, so that nobody
    /// reads what was fetched with another's secret.
    pub fn of(&self, url: &GitUrl) -> Mirror {
        let plain = url.without_secrets();
        let secret = if url.reveal().as_str() == plain.as_str() { "" } else { url.reveal().as_str() };
        let hash = Sha256::digest(format!("{plain}\n{secret}"));
        Mirror { path: self.folder.join(format!("{}.git", &hex::encode(hash)[..32])) }
    }

    /// The mirror of single commits of a repository, without their history. It is one of its own, so that
    /// the other is never without a part of its history.
    pub fn tips_of(&self, url: &GitUrl) -> Mirror {
        Mirror { path: self.of(url).path.with_extension("tips.git") }
    }

    /// Waits for the right to write into a mirror.
    pub async fn hold(&self, mirror: &Mirror) -> io::Result<Held> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(&mirror.path).and_then(Weak::upgrade);
            let lock = known.unwrap_or_default();
            locks.insert(mirror.path.clone(), Arc::downgrade(&lock));
            lock
        };
        let process = lock.lock_owned().await;
        let file = File::create(mirror.path.with_extension("lock"))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { _process: process, _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The mirrors, when each was last of use, and what each takes.
    pub fn kept(&self) -> io::Result<Vec<Kept>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "git") {
                let used = fs::metadata(path.join("used")).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Kept { used, size: size_of(&path), path });
            }
        }
        Ok(found)
    }

    /// Removes a mirror, unless somebody writes into it; says whether it did.
    pub fn remove(&self, path: &Path) -> io::Result<bool> {
        let lock = File::create(path.with_extension("lock"))?;
        if lock.try_lock().is_err() {
            return Ok(false);
        }
        fs::remove_dir_all(path).map(|()| true)
    }
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

impl Mirror {
    /// Opens it to read, if it is there. No configuration but its own is looked at.
    pub fn open(&self) -> Result<Repository, git2::Error> {
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::BARE;
        let repository = Repository::open_ext(&self.path, flags, &[] as &[&Path])?;
        let mut config = Config::new()?;
        config.add_file(&self.path.join("config"), ConfigLevel::Local, false)?;
        repository.set_config(&config)?;
        Ok(repository)
    }

    /// Opens it to write, or makes it. A half-made one is made anew.
    pub fn open_or_init(&self, _held: &Held) -> Result<Repository, GitError> {
        if let Ok(repository) = self.open() {
            return Ok(repository);
        }
        if self.path.exists() {
            fs::remove_dir_all(&self.path)?;
        }
        self.init()?;
        self.open().map_err(|error| GitError::cache(&error))
    }

    /// Makes it, with nothing in it.
    pub fn init(&self) -> Result<(), GitError> {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main").mkpath(true);
        Repository::init_opts(&self.path, &options).map_err(|error| GitError::cache(&error))?;
        Ok(())
    }

    /// Whether it has a commit with all that belongs to it.
    pub fn has(&self, commit: &Commit) -> bool {
        let Ok(id) = Oid::from_str(commit.as_str()) else { return false };
        self.open().is_ok_and(|repository| repository.find_commit(id).is_ok())
    }

    /// The commit that some digits abbreviate, if there is exactly one.
    pub fn find(&self, digits: &str) -> Option<Commit> {
        let repository = self.open().ok()?;
        let commit = repository.find_commit_by_prefix(digits).ok()?;
        commit.id().to_string().parse().ok()
    }

    /// Notes that it is of use.
    pub fn touch(&self) {
        // Only the order of clearing up depends on it.
        let _ = File::create(self.path.join("used")).and_then(|file| file.set_modified(SystemTime::now()));
    }
}
