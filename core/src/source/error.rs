//! Why a pasted text is refused.

use crate::fault::{Class, Fault};

/// Why a text is not something a workspace can be made from. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nothing was pasted.
    #[error("the source is empty")]
    Empty,
    /// It is too long to be meant.
    #[error("the source is longer than {0} characters")]
    TooLong(usize),
    /// It contains white space or control characters.
    #[error("the source contains white space or control characters")]
    Unprintable,
    /// It is not a URL at all.
    #[error("`{0}` is not a Git URL")]
    NotUrl(String),
    /// Its scheme is not one that is fetched from.
    #[error("`{0}:` is not a scheme that repositories are fetched with")]
    Scheme(String),
    /// The URL names a host or an owner, but no repository.
    #[error("`{0}` names no repository")]
    NoRepository(String),
    /// A path or `file:` URL of this machine, which this server does not serve.
    #[error("`{0}` is a path of this machine, and this server does not serve those")]
    Local(String),
    /// A path that is not absolute.
    #[error("`{0}` is not an absolute path")]
    Relative(String),
    /// What follows `#`, or the revision in a link, cannot be a branch, tag or commit.
    #[error("`{0}` cannot be a branch, a tag or a commit")]
    Reference(String),
    /// The path in a link leaves the repository.
    #[error("`{0}` is not a path inside a repository")]
    Path(String),
    /// The forge keeps no ref for its pull requests.
    #[error("pull request {number} of {host} has no ref that could be fetched")]
    NoRequestRef {
        /// The forge.
        host: String,
        /// The number of the request.
        number: u64,
    },
}

impl Fault for SourceError {
    fn class(&self) -> Class {
        match self {
            Self::Local(_) => Class::Denied,
            _ => Class::Permanent,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "source-empty",
            Self::TooLong(_) => "source-too-long",
            Self::Unprintable => "source-unprintable",
            Self::NotUrl(_) => "source-not-a-url",
            Self::Scheme(_) => "source-scheme-not-supported",
            Self::NoRepository(_) => "source-without-repository",
            Self::Local(_) => "source-local-not-allowed",
            Self::Relative(_) => "source-path-not-absolute",
            Self::Reference(_) => "source-reference-invalid",
            Self::Path(_) => "source-path-invalid",
            Self::NoRequestRef { .. } => "source-request-without-ref",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty | Self::TooLong(_) | Self::Unprintable => {
                "Paste the address of a Git repository, such as https://github.com/owner/repository.".to_owned()
            }
            Self::NotUrl(text) => hint_for_text(text),
            Self::Scheme(_) => "Use an https:// or ssh:// URL, or the form git@host:owner/repository.git.".to_owned(),
            Self::NoRepository(_) => "Add the owner and the repository: https://host/owner/repository.".to_owned(),
            Self::Local(_) => {
                "Use an https:// or ssh:// URL, or ask the administrator to set source.allow_local.".to_owned()
            }
            Self::Relative(_) => "Write the whole path from the root: /home/me/repository.".to_owned(),
            Self::Reference(_) => {
                "Put the name of a branch or tag, or a commit, after the `#`: https://host/owner/repository#main."
                    .to_owned()
            }
            Self::Path(_) => "Copy the link from the page of the folder or file again.".to_owned(),
            Self::NoRequestRef { .. } => "Paste the link of the branch that the request comes from.".to_owned(),
        })
    }
}

/// What was probably meant by a text without a scheme.
fn hint_for_text(text: &str) -> String {
    let first = text.split('/').next().unwrap_or_default();
    let slashes = text.matches('/').count();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "./-_~".contains(c));
    if plain && slashes >= 1 && first.contains('.') && !first.starts_with('.') {
        format!("Did you mean https://{text}?")
    } else if plain && slashes == 1 && !first.is_empty() {
        format!("Did you mean https://github.com/{text}?")
    } else {
        "Paste the address of a Git repository, such as https://github.com/owner/repository.".to_owned()
    }
}
