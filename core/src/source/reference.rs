//! What follows `#`: the revision, and perhaps a path, as text.
//!
//! | Text | Means |
//! |---|---|
//! | `name` | branch, tag or commit, in this order |
//! | `refs/heads/name`, `refs/tags/name` | that branch, that tag |
//! | `refs/pull/7/head`, `refs/merge-requests/7/head` | that request |
//! | 40 or 64 hexadecimal digits, `1a2b3c4^{commit}` | that commit |
//! | `name:docs/guide.md`, `:docs` | a path in it |
//! | `feature/x/docs:` | a ref and a path in one; the refs of the remote say where the path begins |

use std::fmt::{self, Write as _};

use super::{Commit, Reference, SourceError};

/// The longest name that is taken for a ref.
const MAX_NAME: usize = 512;

/// Reads what follows the `#`, with percent-escapes already undone.
pub(super) fn parse(text: &str) -> Result<(Reference, Option<String>), SourceError> {
    if text.is_empty() {
        return Ok((Reference::Head, None));
    }
    let (name, path) = match text.split_once(':') {
        None => (text, None),
        Some((name, "")) => {
            checked_name(name)?;
            return Ok((Reference::RefAndPath(name.to_owned()), None));
        }
        Some((name, path)) => (name, super::path::inside(path)?),
    };
    if name.is_empty() {
        return Ok((Reference::Head, path));
    }
    Ok((named(name)?, path))
}

/// A reference by its short or full name.
pub(super) fn named(name: &str) -> Result<Reference, SourceError> {
    if let Some(digits) = name.strip_suffix("^{commit}") {
        return commit(digits);
    }
    checked_name(name)?;
    if let Ok(commit) = name.parse::<Commit>() {
        return Ok(Reference::Commit(commit.into()));
    }
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        return Ok(Reference::Branch(branch.to_owned()));
    }
    if let Some(tag) = name.strip_prefix("refs/tags/") {
        return Ok(Reference::Tag(tag.to_owned()));
    }
    if let Some(number) = request_number(name) {
        return Ok(Reference::Request { number, full_ref: name.to_owned() });
    }
    Ok(Reference::Name(name.to_owned()))
}

/// A commit, in full or abbreviated.
pub(super) fn commit(digits: &str) -> Result<Reference, SourceError> {
    let fits = (4..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if fits { Ok(Reference::Commit(digits.to_ascii_lowercase())) } else { Err(invalid(digits)) }
}

/// The number in `refs/pull/7/head` and its like: one number among the components.
fn request_number(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("refs/")?;
    if rest.starts_with("remotes/") || rest.starts_with("notes/") {
        return None;
    }
    let (_, rest) = rest.split_once('/')?;
    rest.split('/').next()?.parse().ok()
}

/// Refuses what `git check-ref-format` refuses.
pub(super) fn checked_name(name: &str) -> Result<(), SourceError> {
    let bad_character = |c: char| c.is_control() || c == ' ' || "~^:?*[\\".contains(c);
    let bad_component = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let bad = name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with('-')
        || name.ends_with('.')
        || name == "@"
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_character)
        || name.split('/').any(bad_component);
    if bad { Err(invalid(name)) } else { Ok(()) }
}

fn invalid(text: &str) -> SourceError {
    SourceError::Reference(text.chars().filter(|c| !c.is_control()).take(80).collect())
}

/// Prints what [`parse`] reads, with the `#`; nothing for the remote's HEAD.
pub(super) fn print(f: &mut fmt::Formatter<'_>, reference: &Reference, path: Option<&str>) -> fmt::Result {
    let name = match reference {
        Reference::Head => String::new(),
        Reference::Name(name) => name.clone(),
        Reference::Branch(name) => format!("refs/heads/{name}"),
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Commit(digits) if digits.parse::<Commit>().is_ok() => digits.clone(),
        Reference::Commit(digits) => format!("{digits}^{{commit}}"),
        Reference::Request { full_ref, .. } => full_ref.clone(),
        Reference::RefAndPath(text) => format!("{text}:"),
    };
    if name.is_empty() && path.is_none() {
        return Ok(());
    }
    f.write_char('#')?;
    escape(f, &name)?;
    match path {
        Some(path) => {
            f.write_char(':')?;
            escape(f, path)
        }
        None => Ok(()),
    }
}

/// Escapes what would not survive in a URL's fragment or be taken for white space.
fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || matches!(c, '%' | '#') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        let of = |text: &str| parse(text).unwrap();
        assert_eq!(of("main"), (Reference::Name("main".into()), None));
        assert_eq!(of("feature/x:src/lib.rs"), (Reference::Name("feature/x".into()), Some("src/lib.rs".into())));
        assert_eq!(of(":docs"), (Reference::Head, Some("docs".into())));
        assert_eq!(of("feature/x/src:"), (Reference::RefAndPath("feature/x/src".into()), None));
        assert_eq!(of("refs/heads/a/b").0, Reference::Branch("a/b".into()));
        assert_eq!(of("refs/tags/v1").0, Reference::Tag("v1".into()));
        assert_eq!(of("1a2b3c4^{commit}").0, Reference::Commit("1a2b3c4".into()));
        assert_eq!(of(&"A".repeat(40)).0, Reference::Commit("a".repeat(40)));
        let request = Reference::Request { number: 7, full_ref: "refs/pull/7/head".into() };
        assert_eq!(of("refs/pull/7/head").0, request);
    }

    #[test]
    fn what_git_would_refuse_is_refused() {
        for bad in ["-x", "a..b", "a b", "a^", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a@{1}", "@", "a.", "\u{7}"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse("main:../../etc").is_err());
        assert!(parse("xyz^{commit}").is_err());
    }
}
