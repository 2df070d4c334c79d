//! Features as archives.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ReferenceError, is_id, short};

/// An archive somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tarball {
    /// The URL in its normal form.
    pub url: String,
    /// The id in the archive's name.
    pub id: String,
}

impl Tarball {
    pub(super) fn parse(text: &str) -> Result<Self, ReferenceError> {
        let url = Url::parse(text).map_err(|_| ReferenceError::Url(short(text)))?;
        let name = url.path().rsplit('/').next().unwrap_or_default();
        let id = NAME.captures(name).and_then(|found| found.get(1)).map_or("", |id| id.as_str());
        if id.is_empty() || !is_id(id) {
            return Err(ReferenceError::Tarball(short(name)));
        }
        Ok(Self { id: id.to_owned(), url: url.into() })
    }
}

/// Not anchored, as in the reference.
#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("devcontainer-feature-(.*).tgz").expect("the pattern is valid"));
