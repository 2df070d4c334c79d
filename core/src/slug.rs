//! The readable name of a workspace: `quiet-fox-7k2p`, a DNS label (RFC 1123) that starts with a letter.

use std::fmt;
use std::str::FromStr;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brave", "brisk", "calm", "clear", "clever", "cosy", "deft", "early", "fair", "fresh", "gentle",
    "glad", "golden", "green", "keen", "kind", "lively", "lucky", "merry", "mild", "neat", "plain", "quick", "quiet",
    "ready", "sharp", "steady", "sunny", "warm", "wise",
];
const NOUNS: [&str; 32] = [
    "acorn", "apple", "barn", "beech", "birch", "bramble", "brook", "byre", "cedar", "clover", "crane", "elm", "fern",
    "field", "finch", "fox", "hare", "hazel", "heron", "ivy", "lark", "maple", "meadow", "oak", "otter", "pond",
    "robin", "stone", "swift", "thistle", "willow", "wren",
];
/// Without vowels (no words by accident) and without letters that look like digits.
const TAIL: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";
const TAIL_LENGTH: usize = 5;

/// A workspace's readable name, unique within an installation; also the first part of its host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a text is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a workspace name: use lower-case letters, digits and single hyphens, a letter first, 40 at most")]
pub struct SlugError(String);

impl Slug {
    /// The longest slug: `65535-` before it and it still is one DNS label of 63.
    pub const LONGEST: usize = 40;

    /// A fresh random slug: 14 million tails for each of 1,024 pairs of words.
    #[must_use]
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let adjective = ADJECTIVES[rng.random_range(0..ADJECTIVES.len())];
        let noun = NOUNS[rng.random_range(0..NOUNS.len())];
        let tail: String = (0..TAIL_LENGTH).map(|_| char::from(TAIL[rng.random_range(0..TAIL.len())])).collect();
        Self(format!("{adjective}-{noun}-{tail}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, SlugError> {
        let fits = (1..=Self::LONGEST).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(SlugError(text.chars().take(64).collect())) }
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_slugs_are_slugs() {
        for _ in 0..1000 {
            let slug = Slug::random();
            assert_eq!(slug.as_str().parse::<Slug>().unwrap(), slug);
        }
    }

    #[test]
    fn a_slug_is_a_dns_label_that_starts_with_a_letter() {
        for bad in ["", "3fox", "-fox", "fox-", "fo--x", "Fox", "fox.x", "fox_x", &"f".repeat(41)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }
}
