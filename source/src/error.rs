//! Why a repository could not be fetched or read.

use std::io;

use steading_core::fault::{Class, Fault};

/// How many branches are named to choose from.
const MAX_NAMED: usize = 8;

/// What went wrong with a repository. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The host says that it is not there, which is also what hosts say to strangers.
    #[error("{url} was not found, or it needs credentials")]
    NotFound {
        /// The repository, without secrets.
        url: String,
        /// Its host, as credentials are configured for it.
        host: String,
    },
    /// The host did not take the credentials.
    #[error("{host} refused the credentials")]
    CredentialsRefused {
        /// The host, as credentials are configured for it.
        host: String,
    },
    /// The host wants credentials, and those that are configured are not sent without encryption.
    #[error("{host} wants credentials, and those configured for it are not sent over plain http")]
    CredentialsKept {
        /// The host, as credentials are configured for it.
        host: String,
    },
    /// SSH needs a key, and none is configured.
    #[error("{host} wants an SSH key, and none is configured")]
    NoKey {
        /// The host, as credentials are configured for it.
        host: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the repository has no branch, tag or commit `{name}`")]
    RefNotFound {
        /// What was asked for.
        name: String,
        /// Names that look like it, the nearest first.
        near: Vec<String>,
    },
    /// The repository has no commits at all.
    #[error("{0} has no commits yet")]
    Empty(String),
    /// The repository has branches, and its HEAD names none of them.
    #[error("the default branch of {url} does not exist, and it has {} others", branches.len())]
    NoDefault {
        /// The repository, without secrets.
        url: String,
        /// Its branches by name.
        branches: Vec<String>,
    },
    /// The host has no address, or nothing answers there.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The host was silent for too long.
    #[error("{host} did not answer within {seconds} s")]
    Timeout {
        /// The host.
        host: String,
        /// How long was waited.
        seconds: u32,
    },
    /// The host has an address that this server does not fetch from.
    #[error("{host} is at a private address, and this server does not fetch from those")]
    Forbidden {
        /// The host.
        host: String,
    },
    /// The host identifies itself with another key than before.
    #[error("{host} has another SSH host key than the first time")]
    HostKeyChanged {
        /// The host.
        host: String,
        /// The file that remembers the keys.
        file: String,
    },
    /// Fetching it would take more than is allowed.
    #[error("the repository is larger than {limit_mib} MiB")]
    TooLarge {
        /// The limit.
        limit_mib: u64,
    },
    /// Its files would take more than is allowed.
    #[error("the files of the repository are larger than {limit_mib} MiB")]
    TooLargeUnpacked {
        /// The limit.
        limit_mib: u64,
    },
    /// It has more files than any source code.
    #[error("the commit has more than {limit} files and folders")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// What a build would be sent takes more than is allowed.
    #[error("the build context is larger than {limit_mib} MiB")]
    ContextTooLarge {
        /// The limit.
        limit_mib: u64,
    },
    /// A build context has more files than any build needs, or than its rules can be tried on.
    #[error("the build context has more than {limit} files and folders")]
    ContextTooMany {
        /// The limit, which is lower with many rules.
        limit: usize,
    },
    /// A `.dockerignore` is longer than any that people write.
    #[error("{path} has more than {rules} rules or {kib} KiB")]
    IgnoreTooLarge {
        /// The file.
        path: String,
        /// The most rules.
        rules: usize,
        /// The longest file.
        kib: usize,
    },
    /// The host sends, but next to nothing.
    #[error("{host} sent less than {bytes} bytes in {seconds} s")]
    TooSlow {
        /// The host.
        host: String,
        /// What is the least.
        bytes: u64,
        /// In which time.
        seconds: u64,
    },
    /// The fetch took longer than any may.
    #[error("the fetch from {host} did not end within {minutes} minutes")]
    TooLong {
        /// The host.
        host: String,
        /// How long was waited.
        minutes: u32,
    },
    /// What answers there is something else.
    #[error("{0} is not a Git repository")]
    NotRepository(String),
    /// Its objects are named otherwise than by SHA-1, which libgit2 does not read yet.
    #[error("{0} names its objects by SHA-256")]
    ObjectFormat(String),
    /// A folder of this machine, which this server does not serve.
    #[error("{0} is a folder of this machine, and this server does not serve those")]
    Local(String),
    /// A folder that belongs to somebody else, or may not be read.
    #[error("{0} may not be read by this server")]
    NotReadable(String),
    /// The host failed, or broke off.
    #[error("{host} failed: {reason}")]
    Remote {
        /// The host.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The commit has no such folder.
    #[error("the repository has no folder `{0}`")]
    NoFolder(String),
    /// A path in the commit would lead out of the working copy, as git refuses it too.
    #[error("the commit has the path `{0}`, which no working copy may have")]
    UnsafePath(String),
    /// The disk failed us.
    #[error("the cache of repositories cannot be written")]
    Disk(#[source] io::Error),
    /// The cached repository is damaged.
    #[error("the cached repository cannot be read: {0}")]
    Cache(String),
    /// The work was given up because nobody waits for it any more.
    #[error("the fetch was cancelled")]
    Cancelled,
}

impl GitError {
    /// A damaged cache, from what libgit2 said.
    pub(crate) fn cache(error: &git2::Error) -> Self {
        Self::Cache(error.message().to_owned())
    }
}

impl From<io::Error> for GitError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl Fault for GitError {
    fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::TooSlow { .. }
            | Self::TooLong { .. }
            | Self::Remote { .. }
            | Self::Disk(_)
            | Self::Cache(_)
            | Self::Cancelled => Class::Transient,
            Self::CredentialsRefused { .. }
            | Self::CredentialsKept { .. }
            | Self::NoKey { .. }
            | Self::Forbidden { .. }
            | Self::HostKeyChanged { .. }
            | Self::Local(_)
            | Self::NotReadable(_) => Class::Denied,
            Self::NotFound { .. }
            | Self::RefNotFound { .. }
            | Self::Empty(_)
            | Self::NoDefault { .. }
            | Self::TooLarge { .. }
            | Self::TooLargeUnpacked { .. }
            | Self::TooMany { .. }
            | Self::ContextTooLarge { .. }
            | Self::ContextTooMany { .. }
            | Self::IgnoreTooLarge { .. }
            | Self::NotRepository(_)
            | Self::ObjectFormat(_)
            | Self::UnsafePath(_)
            | Self::NoFolder(_) => Class::Permanent,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "repository-not-found",
            Self::CredentialsRefused { .. } => "credentials-refused",
            Self::CredentialsKept { .. } | Self::NoKey { .. } => "credentials-needed",
            Self::RefNotFound { .. } => "ref-not-found",
            Self::Empty(_) => "repository-empty",
            Self::NoDefault { .. } => "default-branch-missing",
            Self::Unreachable { .. } => "host-unreachable",
            Self::Timeout { .. } => "host-timeout",
            Self::Forbidden { .. } => "host-not-allowed",
            Self::HostKeyChanged { .. } => "host-key-changed",
            Self::TooLarge { .. } | Self::TooLargeUnpacked { .. } | Self::TooMany { .. } => "repository-too-large",
            Self::ContextTooLarge { .. } | Self::ContextTooMany { .. } => "build-context-too-large",
            Self::IgnoreTooLarge { .. } => "dockerignore-too-large",
            Self::TooSlow { .. } => "host-too-slow",
            Self::TooLong { .. } => "fetch-too-long",
            Self::NotRepository(_) => "not-a-repository",
            Self::ObjectFormat(_) => "object-format-not-supported",
            Self::Local(_) => "local-not-allowed",
            Self::NotReadable(_) => "repository-not-readable",
            Self::Remote { .. } => "host-failed",
            Self::NoFolder(_) => "folder-not-found",
            Self::UnsafePath(_) => "repository-unsafe",
            Self::Disk(error) if error.kind() == io::ErrorKind::StorageFull => "disk-full",
            Self::Disk(_) => "disk-failed",
            Self::Cache(_) => "cache-damaged",
            Self::Cancelled => "cancelled",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { host, .. } if host.is_empty() => "Check the path.".to_owned(),
            Self::NotFound { host, .. } => format!(
                "Check the address. If the repository is private, set username and password (a token) under \
                 source.credentials.\"{host}\"."
            ),
            Self::CredentialsRefused { host } => format!(
                "Check that source.credentials.\"{host}\" has a user name and a valid token, or for SSH a key file \
                 that this server can read with its ssh_passphrase, and that they may read the repository."
            ),
            Self::CredentialsKept { host } => format!(
                "Use the https:// address; if the host has none, set source.credentials.\"{host}\".allow_http, and \
                 everybody on the way can read the token."
            ),
            Self::NoKey { host } => {
                format!("Set source.credentials.\"{host}\".ssh_key to a private key file, or use the https:// address.")
            }
            Self::RefNotFound { near, .. } if near.is_empty() => {
                "Leave the revision away to use the default branch, or check its name.".to_owned()
            }
            Self::RefNotFound { near, .. } => format!("Did you mean {}?", near.join(", ")),
            Self::Empty(_) => "Push a first commit, then try again.".to_owned(),
            Self::NoDefault { branches, .. } => {
                let named: Vec<String> = branches.iter().take(MAX_NAMED).map(|name| format!("`#{name}`")).collect();
                let more = if branches.len() > named.len() { ", …" } else { "" };
                format!("Put a branch after the address: {}{more}", named.join(", "))
            }
            Self::Unreachable { .. } => "Check the host's name, and that this server can reach it.".to_owned(),
            Self::Timeout { .. } => {
                "Try again later; source.timeout_seconds sets how long a silent host is waited for.".to_owned()
            }
            Self::Forbidden { .. } => {
                "Ask the administrator to set source.allow_private, if that host should be used.".to_owned()
            }
            Self::HostKeyChanged { file, .. } => format!(
                "If the change is expected, remove the host's line from {file}; otherwise somebody may listen in."
            ),
            Self::TooLarge { .. } | Self::TooLargeUnpacked { .. } => {
                "Ask the administrator to raise source.max_mib, then start again.".to_owned()
            }
            Self::TooMany { .. } => "Choose a commit or a repository with fewer files.".to_owned(),
            Self::ContextTooLarge { .. } => {
                "Name what the build does not need in .dockerignore, choose a smaller `build.context`, or ask the \
                 administrator to raise source.max_mib."
                    .to_owned()
            }
            Self::ContextTooMany { .. } => {
                "Name folders that the build does not need in .dockerignore, with few rules, or choose a smaller \
                 `build.context`."
                    .to_owned()
            }
            Self::IgnoreTooLarge { .. } => {
                "Shorten it: one rule for a folder leaves out everything below it.".to_owned()
            }
            Self::TooSlow { .. } => "Try again later, when the host or the network is quicker.".to_owned(),
            Self::TooLong { .. } => {
                "Try again; source.fetch_minutes sets how long a fetch may take altogether.".to_owned()
            }
            Self::NotRepository(_) => "Paste the address that `git clone` takes.".to_owned(),
            Self::ObjectFormat(_) => {
                "Only SHA-1 repositories can be opened yet; use a mirror of it made with `git init --object-format=sha1`."
                    .to_owned()
            }
            Self::Local(_) => {
                "Use an https:// or ssh:// URL, or ask the administrator to set source.allow_local.".to_owned()
            }
            Self::NotReadable(_) => "The folder must belong to the user that the server runs as.".to_owned(),
            Self::Remote { .. } => "Try again later.".to_owned(),
            Self::NoFolder(_) => "Check the path of the build context.".to_owned(),
            Self::UnsafePath(_) => "Git refuses such a commit as well; choose another one.".to_owned(),
            Self::Disk(_) => "Check the free space and the rights of the data folder.".to_owned(),
            Self::Cache(_) => "Try again; if it stays, remove the `git` folder in the data folder.".to_owned(),
            Self::Cancelled => return None,
        })
    }
}
