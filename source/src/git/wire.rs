//! One conversation of libgit2 with a remote, over whichever way leads there.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Direction, ErrorClass, ErrorCode, FetchOptions,
    FetchPrune, RemoteCallbacks, Repository,
};

use super::access::{Address, Key};
use super::client::Client;
use super::door::Door;
use super::known_hosts::KnownHosts;
use super::mirror::Mirror;
use super::refs::Refs;
use super::tunnel::Tunnel;
use crate::error::GitError;
use crate::report::Reporter;

/// libgit2 asks again and again while credentials are refused.
const MAX_LOGINS: u32 = 3;

/// An open way to a remote.
#[derive(Debug)]
pub(crate) enum Wire {
    /// Over HTTP.
    Http(Door),
    /// Over SSH.
    Ssh(Tunnel),
    /// A folder of this machine.
    Local(PathBuf),
}

impl Wire {
    /// Opens the way to an address.
    pub async fn open(client: &Client, address: &Address) -> Result<Self, GitError> {
        match address.url.scheme() {
            "file" => {
                let path = address.url.to_file_path().map_err(|()| GitError::NotRepository(address.shown()))?;
                Ok(Self::Local(path))
            }
            "ssh" => {
                if address.key.is_none() {
                    return Err(GitError::NoKey { host: address.host.clone() });
                }
                Tunnel::open(client, address).await.map(Self::Ssh)
            }
            _ => Door::open(client, address).await.map(Self::Http),
        }
    }

    /// What libgit2 is told to fetch from.
    pub fn url(&self) -> String {
        match self {
            Self::Http(door) => door.url().to_owned(),
            Self::Ssh(tunnel) => tunnel.url().to_owned(),
            Self::Local(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// What the way knows of a failure, which is more than libgit2 does.
    pub fn verdict(&self) -> Option<GitError> {
        match self {
            Self::Http(door) => door.verdict(),
            Self::Ssh(tunnel) => tunnel.verdict(),
            Self::Local(_) => None,
        }
    }
}

/// The side of the conversation that blocks. It owns what it needs, so that it can move to a thread.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What libgit2 is told.
    pub url: String,
    /// Where that leads.
    pub address: Address,
    /// A repository with nothing in it.
    pub blank: Mirror,
    /// Host keys.
    pub known_hosts: KnownHosts,
    /// The largest repository, in MiB.
    pub limit_mib: u64,
    /// Where progress goes, and whether anybody still waits.
    pub reporter: Reporter,
}

impl Call {
    /// Lists the refs of the remote.
    pub fn refs(&self) -> Result<Refs, GitError> {
        if self.address.url.scheme() == "file" {
            return self.local_refs(Path::new(&self.url));
        }
        let blame = Blame::default();
        let list = || -> Result<Refs, git2::Error> {
            // A remote of no repository would read the configuration of the server's user.
            let blank = self.blank.open()?;
            let mut remote = blank.remote_anonymous(&self.url)?;
            let connection = remote.connect_auth(Direction::Fetch, Some(self.callbacks(&blame)), None)?;
            let mut refs = Refs::default();
            for head in connection.list()? {
                refs.note(head.name(), &head.oid().to_string(), head.symref_target());
            }
            Ok(refs)
        };
        list().map_err(|error| blame.take().unwrap_or_else(|| self.judge(&error)))
    }

    /// libgit2 does not say what HEAD names in a folder of this machine, so it is opened and read.
    fn local_refs(&self, path: &Path) -> Result<Refs, GitError> {
        if !path.exists() {
            return Err(GitError::NotFound { url: self.address.shown(), host: String::new() });
        }
        let read = || -> Result<Refs, git2::Error> {
            let repository = Repository::open_ext(path, git2::RepositoryOpenFlags::NO_SEARCH, &[] as &[&Path])?;
            let mut refs = Refs::default();
            let head = repository.find_reference("HEAD")?;
            match head.symbolic_target() {
                Ok(Some(target)) => refs.head = Some(target.to_owned()),
                _ => {
                    if let Ok(commit) = head.peel_to_commit() {
                        refs.note("HEAD", &commit.id().to_string(), None);
                    }
                }
            }
            for reference in repository.references()? {
                let reference = reference?;
                if let (Ok(name), Ok(commit)) = (reference.name(), reference.peel_to_commit()) {
                    refs.note(name, &commit.id().to_string(), None);
                }
            }
            Ok(refs)
        };
        read().map_err(|error| self.judge(&error))
    }

    /// Fetches refs with their history into a repository. What is not at the remote any more goes from those
    /// the specs name.
    pub fn fetch(&self, repository: &Repository, specs: &[String]) -> Result<(), GitError> {
        self.fetch_deep(repository, specs, 0)
    }

    /// Fetches what a ref or a commit is at, and nothing of its history.
    pub fn fetch_tip(&self, repository: &Repository, spec: String) -> Result<(), GitError> {
        self.fetch_deep(repository, &[spec], 1)
    }

    /// `depth` counts commits; 0 is all of them.
    fn fetch_deep(&self, repository: &Repository, specs: &[String], depth: i32) -> Result<(), GitError> {
        let blame = Blame::default();
        let fetch = || -> Result<(), git2::Error> {
            let mut options = FetchOptions::new();
            options
                .remote_callbacks(self.callbacks(&blame))
                .prune(FetchPrune::On)
                .depth(depth)
                .download_tags(AutotagOption::None)
                .update_fetchhead(false);
            let mut remote = repository.remote_anonymous(&self.url)?;
            remote.fetch(specs, Some(&mut options), None)?;
            // What the remote's HEAD names is what `origin/HEAD` will.
            let default = match self.address.url.scheme() {
                "file" => self.local_refs(Path::new(&self.url)).ok().and_then(|refs| refs.head),
                _ => remote.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned)),
            };
            if let Some(default) = default {
                repository.set_head(&default)?;
            }
            Ok(())
        };
        fetch().map_err(|error| blame.take().unwrap_or_else(|| self.judge(&error)))
    }

    fn callbacks<'a>(&'a self, blame: &'a Blame) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        let attempts = Cell::new(0);
        callbacks.credentials(move |_, user, allowed| {
            attempts.set(attempts.get() + 1);
            if attempts.get() > MAX_LOGINS {
                blame.set(GitError::CredentialsRefused { host: self.address.host.clone() });
                return Err(git2::Error::from_str("the credentials were refused"));
            }
            self.credential(user, allowed, blame)
        });
        callbacks.certificate_check(|certificate, _| {
            // Over HTTP there is none between libgit2 and the door.
            let Some(key) = certificate.as_hostkey().and_then(|key| key.hash_sha256()) else {
                return Ok(CertificateCheckStatus::CertificatePassthrough);
            };
            match self.known_hosts.accept(&self.address.host, key) {
                Ok(true) => Ok(CertificateCheckStatus::CertificateOk),
                Ok(false) => {
                    let file = self.known_hosts.0.display().to_string();
                    blame.set(GitError::HostKeyChanged { host: self.address.host.clone(), file });
                    Err(git2::Error::from_str("the host key changed"))
                }
                Err(error) => {
                    blame.set(GitError::Disk(error));
                    Err(git2::Error::from_str("the host keys cannot be read"))
                }
            }
        });
        callbacks.sideband_progress(|text| {
            for line in String::from_utf8_lossy(text).split(['\r', '\n']).filter(|line| line.contains("done")) {
                self.reporter.line(format!("remote: {}", line.trim()));
            }
            !self.reporter.is_cancelled()
        });
        let shown = Cell::new((0, Instant::now()));
        callbacks.transfer_progress(move |progress| {
            if self.reporter.is_cancelled() {
                blame.set(GitError::Cancelled);
                return false;
            }
            if u64::try_from(progress.received_bytes()).unwrap_or(u64::MAX) >> 20 >= self.limit_mib {
                blame.set(GitError::TooLarge { limit_mib: self.limit_mib });
                return false;
            }
            let tenth = progress.received_objects() * 10 / progress.total_objects().max(1);
            let (before, at) = shown.get();
            if is_worth_telling(tenth, before, at.elapsed()) {
                shown.set((tenth, Instant::now()));
                let (all, size) = (progress.total_objects(), size(progress.received_bytes()));
                self.reporter.line(format!("Received {tenth}0 % of {all} objects, {size}"));
            }
            true
        });
        callbacks
    }

    fn credential(&self, user: Option<&str>, allowed: CredentialType, blame: &Blame) -> Result<Cred, git2::Error> {
        let key = self.address.key.as_ref();
        let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| ssh_user(key));
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(user);
        }
        match key {
            Some(key) if allowed.contains(CredentialType::SSH_KEY) => {
                let phrase = Some(key.passphrase.reveal().as_str()).filter(|phrase| !phrase.is_empty());
                Cred::ssh_key(user, None, &key.file, phrase)
            }
            _ => {
                blame.set(GitError::CredentialsRefused { host: self.address.host.clone() });
                Err(git2::Error::from_str("there are no credentials that would do"))
            }
        }
    }

    /// What an error of libgit2 means, where nobody knows better.
    fn judge(&self, error: &git2::Error) -> GitError {
        let (host, url) = (self.address.host.clone(), self.address.shown());
        if error.message().contains("object format") || error.message().contains("objectformat") {
            return GitError::ObjectFormat(url);
        }
        match (error.class(), error.code()) {
            (_, ErrorCode::Owner) => GitError::NotReadable(url),
            (_, ErrorCode::Auth) => GitError::CredentialsRefused { host },
            (ErrorClass::Os, _) if error.message().contains("No space") => {
                GitError::Disk(std::io::ErrorKind::StorageFull.into())
            }
            (ErrorClass::Repository | ErrorClass::Os, _) if host.is_empty() => GitError::NotRepository(url),
            (ErrorClass::Ssh, _) if error.message().contains("uthenticat") => GitError::CredentialsRefused { host },
            (ErrorClass::Ssh | ErrorClass::Net, ErrorCode::Eof) => GitError::NotFound { url, host },
            _ => GitError::Remote { host, reason: error.message().to_owned() },
        }
    }
}

/// Who we are over SSH where the address does not say it.
pub(super) fn ssh_user(key: Option<&Key>) -> &str {
    key.map(|key| key.username.as_str()).filter(|name| !name.is_empty()).unwrap_or("git")
}

/// The first reason that a callback had for giving up.
#[derive(Debug, Default)]
struct Blame(RefCell<Option<GitError>>);

impl Blame {
    fn set(&self, error: GitError) {
        self.0.borrow_mut().get_or_insert(error);
    }

    fn take(&self) -> Option<GitError> {
        self.0.borrow_mut().take()
    }
}

/// Whether to say how many tenths there are: the last always, and those before it not more often than each second,
/// so that a quick transfer is one line.
fn is_worth_telling(tenth: usize, before: usize, since: Duration) -> bool {
    tenth > before && (tenth == 10 || since >= Duration::from_secs(1))
}

fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        mib => format!("{mib} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_transfer_is_one_line_and_a_slow_one_goes_on_telling() {
        let (quick, slow) = (Duration::from_millis(1), Duration::from_secs(1));
        assert!(is_worth_telling(10, 0, quick) && is_worth_telling(1, 0, slow));
        assert!(!is_worth_telling(9, 1, quick) && !is_worth_telling(1, 1, slow));
        assert_eq!([size(0), size(1), size(3 << 20)], ["0 KiB", "1 KiB", "3 MiB"]);
    }
}
