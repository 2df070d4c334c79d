//! Repositories of the outside: what a reference means there, and what a commit holds.
//!
//! [`Git::pin`] asks the remote once. [`Git::tree`], [`Git::checkout`] and [`Git::context`] read from a
//! cache under the data folder and go to the network only for a commit that is not there yet. The
//! configuration of the server's user, its environment and its credential helpers are never looked at.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use devcontainer::{Diagnostic, Severity};
use git2::Repository;
use steading_core::config::{Config, Source as SourceConfig};
use steading_core::log::LogSink;
use steading_core::source::{Commit, GitSource, GitUrl, RefNames, Reference};

use crate::error::GitError;
use crate::report::blocking;
use crate::scratch::Scratch;
use crate::tree::GitTree;

pub(crate) mod access;
pub(crate) mod client;
mod door;
pub(crate) mod guard;
mod known_hosts;
pub(crate) mod mirror;
mod pace;
mod refs;
mod tunnel;
mod wire;

use access::Address;
use client::Client;
use guard::Guard;
use known_hosts::KnownHosts;
use mirror::{Mirror, Mirrors};
use refs::{Choice, Refs};
use wire::{Call, Wire};

/// The stream of the log that fetches write to.
pub(crate) const STREAM: &str = "clone";

/// A reference pinned to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The commit.
    pub commit: Commit,
    /// The branch to check out: the named one, the default one, or `pr-7` for a request.
    pub branch: Option<String>,
    /// The full name of the ref it was found at.
    pub full_ref: Option<String>,
    /// The folder or file to open.
    pub path: Option<String>,
    /// What was guessed about the source.
    pub notes: Vec<Diagnostic>,
}

impl Pinned {
    fn at(commit: Commit, path: Option<String>) -> Self {
        Self { commit, branch: None, full_ref: None, path, notes: Vec::new() }
    }
}

/// Access to repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) settings: SourceConfig,
    pub(crate) mirrors: Mirrors,
    pub(crate) scratch: Scratch,
    pub(crate) folder: PathBuf,
    stand_ins: std::collections::BTreeMap<String, String>,
    may_local: bool,
    known_hosts: KnownHosts,
    blank: Mirror,
}

impl Git {
    /// Opens the cache in the data folder, and clears up what a crash left there.
    ///
    /// # Errors
    /// [`GitError::Disk`] if the folder cannot be made.
    pub fn new(config: &Config) -> Result<Self, GitError> {
        let folder = config.server.data_dir.join("git");
        fs::create_dir_all(&folder)?;
        let folder = fs::canonicalize(&folder)?;
        let guard = Guard {
            allow_private: config.may_fetch_private(),
            trusted: Arc::new(access::trusted(&config.mirrors).collect()),
        };
        let mirrors = Mirrors::new(folder.clone());
        let scratch = Scratch::new(&folder.join("tmp"))?;
        let blank = Mirror { path: scratch.path().join("blank.git") };
        blank.init()?;
        Ok(Self {
            inner: Arc::new(Inner {
                client: Client::new(guard, config.source.timeout_seconds)?,
                settings: config.source.clone(),
                mirrors,
                scratch,
                blank,
                stand_ins: config.mirrors.clone(),
                may_local: config.may_fetch_local(),
                known_hosts: KnownHosts(folder.join("known_hosts")),
                folder,
            }),
        })
    }

    /// Finds the commit that a source means. Asks the remote once, except for a full commit that is in
    /// the cache.
    ///
    /// # Errors
    /// See [`GitError`]: the repository or the ref is not there, or the host is not.
    pub async fn pin(&self, source: &GitSource, log: &dyn LogSink) -> Result<Pinned, GitError> {
        let path = || source.path.clone();
        if let Reference::Commit(digits) = &source.reference {
            return Ok(Pinned::at(self.find(source, digits, log).await?, path()));
        }
        let refs = self.refs(&source.url, log).await?;
        let default = refs.default_branch().map(str::to_owned);
        let shown = source.url.to_string();
        let (choice, mut notes) = match refs.choose(&source.reference, &shown) {
            Err(GitError::RefNotFound { name, .. }) if source.reference.may_be_heading() => {
                (refs.choose(&Reference::Head, &shown)?, vec![not_a_ref(&name)])
            }
            chosen => (chosen?, Vec::new()),
        };
        if let Choice::Ref { full_ref, .. } = &choice
            && (source.reference == Reference::Head || !notes.is_empty())
            && refs.is_headless()
        {
            notes.push(no_default(full_ref));
        }
        match choice {
            Choice::Ref { full_ref, commit, path: found } => Ok(Pinned {
                commit,
                branch: local_branch(&full_ref).or(default.filter(|_| full_ref == "HEAD")),
                full_ref: Some(full_ref),
                path: found.or_else(path),
                notes,
            }),
            Choice::Commit { digits, path: found } => {
                Ok(Pinned::at(self.find(source, &digits, log).await?, found.or_else(path)))
            }
        }
    }

    /// The branches and tags that a source's repository has. Asks the remote once.
    ///
    /// # Errors
    /// See [`GitError`].
    pub async fn names(&self, source: &GitSource, log: &dyn LogSink) -> Result<RefNames, GitError> {
        Ok(self.refs(&source.url, log).await?.names())
    }

    /// The files of a commit. Its history is not fetched for them.
    ///
    /// # Errors
    /// See [`GitError`].
    pub async fn tree(&self, source: &GitSource, commit: &Commit, log: &dyn LogSink) -> Result<GitTree, GitError> {
        self.tree_at(source, commit, None, log).await
    }

    /// The files of a commit that was found at a ref: more hosts give away refs than single commits.
    ///
    /// # Errors
    /// See [`GitError`].
    pub async fn tree_at(
        &self,
        source: &GitSource,
        commit: &Commit,
        full_ref: Option<&str>,
        log: &dyn LogSink,
    ) -> Result<GitTree, GitError> {
        let mirror = self.ensure_files(source, commit, full_ref, log).await?;
        let commit = commit.clone();
        blocking(log, STREAM, move |_| GitTree::open(&mirror, &commit)).await
    }

    /// The address of a repository, if it may be fetched from.
    pub(crate) fn address(&self, url: &GitUrl) -> Result<Address, GitError> {
        let address = Address::of(url, &self.inner.stand_ins, &self.inner.settings);
        if address.url.scheme() == "file" && !self.inner.may_local {
            return Err(GitError::Local(address.shown()));
        }
        Ok(address)
    }

    async fn refs(&self, url: &GitUrl, log: &dyn LogSink) -> Result<Refs, GitError> {
        let (patience, seconds) = self.inner.client.patience();
        let address = self.address(url)?;
        let host = address.host.clone();
        // A host that drips a byte now and then is not silent, but it is given up too.
        match tokio::time::timeout(patience * 4, self.call(address, log, |call| call.refs())).await {
            Ok(refs) => refs,
            Err(_) => Err(GitError::Timeout { host, seconds: seconds.saturating_mul(4) }),
        }
    }

    async fn call<T, F>(&self, address: Address, log: &dyn LogSink, work: F) -> Result<T, GitError>
    where
        T: Send + 'static,
        F: FnOnce(Call) -> Result<T, GitError> + Send + 'static,
    {
        let wire = Wire::open(&self.inner.client, &address).await?;
        let blank = self.inner.blank.clone();
        let (url, known_hosts, limit_mib) = (wire.url(), self.inner.known_hosts.clone(), self.inner.settings.max_mib);
        let host = address.host.clone();
        let work =
            blocking(log, STREAM, move |reporter| work(Call { url, address, blank, known_hosts, limit_mib, reporter }));
        // However steadily it goes on: whoever waits keeps others from their turn.
        let minutes = self.inner.settings.fetch_minutes;
        let done = match tokio::time::timeout(Duration::from_secs(u64::from(minutes) * 60), work).await {
            Ok(done) => done,
            Err(_) => return Err(GitError::TooLong { host, minutes }),
        };
        match done {
            // Limits are the caller's own doing; for the rest the way knows the reason behind the reason.
            Err(error @ (GitError::TooLarge { .. } | GitError::Cancelled | GitError::HostKeyChanged { .. })) => {
                Err(error)
            }
            Err(error) => Err(wire.verdict().unwrap_or(error)),
            done => done,
        }
    }

    /// The commit that some digits name.
    async fn find(&self, source: &GitSource, digits: &str, log: &dyn LogSink) -> Result<Commit, GitError> {
        if let Ok(commit) = digits.parse::<Commit>() {
            self.ensure_files(source, &commit, None, log).await?;
            return Ok(commit);
        }
        let address = self.address(&source.url)?;
        let mirror = self.inner.mirrors.of(&source.url);
        let missing = || GitError::RefNotFound { name: digits.to_owned(), near: Vec::new() };
        if let Some(commit) = mirror.find(digits) {
            return Ok(commit);
        }
        let held = self.inner.mirrors.hold(&mirror).await?;
        let (target, digits) = (mirror.clone(), digits.to_owned());
        let found = self
            .call(address, log, move |call| {
                let repository = target.open_or_init(&held)?;
                fetch_all(&call, &repository, None)?;
                Ok(target.find(&digits))
            })
            .await?;
        found.ok_or_else(missing)
    }

    /// Brings the files of a commit into the cache, if they are not there: a mirror that has them, perhaps
    /// without the commit's history.
    pub(crate) async fn ensure_files(
        &self,
        source: &GitSource,
        commit: &Commit,
        full_ref: Option<&str>,
        log: &dyn LogSink,
    ) -> Result<Mirror, GitError> {
        let address = self.address(&source.url)?;
        let (whole, tips) = (self.inner.mirrors.of(&source.url), self.inner.mirrors.tips_of(&source.url));
        for mirror in [&whole, &tips] {
            if mirror.has(commit) {
                mirror.touch();
                return Ok(mirror.clone());
            }
        }
        if address.url.scheme() == "file" {
            // A folder of this machine gives all or nothing.
            return self.ensure(source, commit, log).await;
        }
        let held = self.inner.mirrors.hold(&tips).await?;
        if tips.has(commit) {
            return Ok(tips);
        }
        log.write(STREAM, &format!("Fetching the files of {}", source.url));
        let spec = format!("+{}:refs/steading/{commit}", full_ref.unwrap_or(commit.as_str()));
        let target = tips.clone();
        let fetched = self.call(address, log, move |call| call.fetch_tip(&target.open_or_init(&held)?, spec)).await;
        match fetched {
            Ok(()) if tips.has(commit) => {
                tips.touch();
                Ok(tips)
            }
            // The ref has moved, or the host gives no single commits.
            Ok(()) | Err(GitError::Remote { .. }) => self.ensure(source, commit, log).await,
            Err(error) => Err(error),
        }
    }

    /// Brings a commit and its history into the cache, if they are not there.
    pub(crate) async fn ensure(
        &self,
        source: &GitSource,
        commit: &Commit,
        log: &dyn LogSink,
    ) -> Result<Mirror, GitError> {
        let address = self.address(&source.url)?;
        let mirror = self.inner.mirrors.of(&source.url);
        if mirror.has(commit) {
            mirror.touch();
            return Ok(mirror);
        }
        let held = self.inner.mirrors.hold(&mirror).await?;
        if mirror.has(commit) {
            return Ok(mirror);
        }
        log.write(STREAM, &format!("Fetching the history of {}", source.url));
        let request = match &source.reference {
            Reference::Request { full_ref, .. } => Some(full_ref.clone()),
            Reference::Name(name) if name.starts_with("refs/") => Some(name.clone()),
            _ => None,
        };
        let (target, commit) = (mirror.clone(), commit.clone());
        self.call(address, log, move |call| {
            let repository = target.open_or_init(&held)?;
            fetch_all(&call, &repository, request.as_deref())?;
            if !target.has(&commit) {
                // It is on no branch: hosts give single commits to those who know their names.
                let asked = call.fetch(&repository, &[format!("+{commit}:refs/steading/{commit}")]);
                if !target.has(&commit) {
                    tracing::debug!(commit = %commit, error = ?asked.err(), "the remote does not give this commit");
                    return Err(GitError::RefNotFound { name: commit.into(), near: Vec::new() });
                }
            }
            target.touch();
            Ok(())
        })
        .await?;
        Ok(mirror)
    }
}

fn not_a_ref(name: &str) -> Diagnostic {
    let message = format!("the repository has no branch or tag `{name}`; the default branch is used");
    Diagnostic::new(Severity::Info, "", "heading-not-a-ref", message)
        .hint("Put the name of a branch, a tag or a commit after the `#` to choose one.")
}

fn no_default(full_ref: &str) -> Diagnostic {
    let branch = full_ref.strip_prefix("refs/heads/").unwrap_or(full_ref);
    let message = format!("the repository's default branch does not exist; `{branch}` is used");
    Diagnostic::new(Severity::Info, "", "default-branch-missing", message)
        .hint("Put `#` and the name of a branch after the address to choose another one.")
}

/// Fetches branches, tags and perhaps one more ref.
fn fetch_all(call: &Call, repository: &Repository, more: Option<&str>) -> Result<(), GitError> {
    let mut specs = vec!["+refs/heads/*:refs/heads/*".to_owned(), "+refs/tags/*:refs/tags/*".to_owned()];
    specs.extend(more.map(|full_ref| format!("+{full_ref}:{full_ref}")));
    if let Err(error) = call.fetch(repository, &specs) {
        // A branch `a` that became `a/b` cannot be written while `a` is there: start from no refs.
        let is_local = matches!(&error, GitError::Remote { reason, .. } if reason.contains("refs/"));
        if !is_local {
            return Err(error);
        }
        for reference in repository.references().map_err(|error| GitError::cache(&error))?.flatten() {
            let mut reference = reference;
            let _ = reference.delete();
        }
        call.fetch(repository, &specs)?;
    }
    // Thousands of loose refs are slow to read.
    let _ = repository.refdb_compress();
    Ok(())
}

/// The branch to check out for a ref: its own name, or one that says which request it is.
fn local_branch(full_ref: &str) -> Option<String> {
    if let Some(branch) = full_ref.strip_prefix("refs/heads/") {
        return Some(branch.to_owned());
    }
    let (space, rest) = full_ref.strip_prefix("refs/")?.split_once('/')?;
    let number: u64 = rest.split('/').next()?.parse().ok()?;
    match space {
        "merge-requests" => Some(format!("mr-{number}")),
        "pull" | "pull-requests" | "pulls" => Some(format!("pr-{number}")),
        _ => None,
    }
}
