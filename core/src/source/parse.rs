//! Text → [`Source`].

use url::Url;

use super::{GitSource, GitUrl, Reference, Source};

/// Why a text is not something a workspace can be made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not a URL at all.
    #[error("`{0}` is not a Git URL")]
    NotUrl(String),
}

impl Source {
    /// Parses what a person pasted. `local` allows paths and `file:` URLs of this machine.
    pub fn parse(text: &str, local: bool) -> Result<Self, SourceError> {
        let url = Url::parse(text.trim()).map_err(|_| SourceError::NotUrl(text.to_owned()))?;
        if url.scheme() == "file" && !local {
            return Err(SourceError::NotUrl(text.to_owned()));
        }
        Ok(Self::Git(GitSource { url: GitUrl::new(url), reference: Reference::Head, path: None }))
    }
}
