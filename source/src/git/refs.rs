//! The refs of a remote, and which of them a reference means.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use steading_core::source::{Commit, RefNames, Reference};

use crate::error::GitError;

/// So many branches, and so many tags, are told: enough to choose from, not a book.
const TOLD: usize = 500;

/// What a remote says it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refs {
    /// The full name of the branch that HEAD names.
    pub head: Option<String>,
    /// Full names and commits; tags lead to what they tag.
    pub all: BTreeMap<String, String>,
}

/// What a reference means at a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// A ref of the remote.
    Ref {
        /// Its full name.
        full_ref: String,
        /// Its commit.
        commit: Commit,
        /// What follows the ref in a link.
        path: Option<String>,
    },
    /// A commit, in full or abbreviated, that the history has to be looked at for.
    Commit {
        /// Its digits.
        digits: String,
        /// What follows it in a link.
        path: Option<String>,
    },
}

impl Refs {
    /// Notes a ref as the remote lists it; `name^{}` is what the tag `name` tags.
    pub fn note(&mut self, name: &str, id: &str, symref: Option<&str>) {
        if name == "HEAD" {
            self.head = symref.map(str::to_owned);
            if self.head.is_none() {
                self.all.insert("HEAD".to_owned(), id.to_owned());
            }
        } else if let Some(tag) = name.strip_suffix("^{}") {
            self.all.insert(tag.to_owned(), id.to_owned());
        } else {
            self.all.entry(name.to_owned()).or_insert_with(|| id.to_owned());
        }
    }

    /// Whether HEAD names nothing that is here: a branch that was never pushed, or was renamed.
    pub fn is_headless(&self) -> bool {
        let head = self.head.as_deref().unwrap_or("HEAD");
        !self.all.contains_key(head)
    }

    /// The branch that HEAD names, by its short name.
    pub fn default_branch(&self) -> Option<&str> {
        self.head.as_deref()?.strip_prefix("refs/heads/")
    }

    /// Branches and tags to choose from.
    pub fn names(&self) -> RefNames {
        let below = |space: &str| -> Vec<String> {
            self.all.keys().filter_map(|full| full.strip_prefix(space)).map(str::to_owned).collect()
        };
        let default = match self.choose_head("") {
            Ok(Choice::Ref { full_ref, .. }) => full_ref.strip_prefix("refs/heads/").map(str::to_owned),
            _ => None,
        };
        let (mut branches, mut tags) = (below("refs/heads/"), below("refs/tags/"));
        branches.sort_by_key(|name| Some(name) != default.as_ref());
        tags.sort_by(|a, b| by_version(b, a));
        let is_cut = branches.len().max(tags.len()) > TOLD;
        branches.truncate(TOLD);
        tags.truncate(TOLD);
        RefNames { default, branches, tags, is_cut }
    }

    /// What a reference means here.
    pub fn choose(&self, reference: &Reference, shown: &str) -> Result<Choice, GitError> {
        match reference {
            Reference::Head => self.choose_head(shown),
            Reference::Branch(name) => self.at(&format!("refs/heads/{name}"), None).ok_or_else(|| self.missing(name)),
            Reference::Tag(name) => self.at(&format!("refs/tags/{name}"), None).ok_or_else(|| self.missing(name)),
            Reference::Request { full_ref, .. } => self.at(full_ref, None).ok_or_else(|| self.missing(full_ref)),
            Reference::Commit(digits) => Ok(Choice::Commit { digits: digits.clone(), path: None }),
            Reference::Name(name) => self.named(name, None).ok_or_else(|| self.missing(name)),
            Reference::RefAndPath(text) => self.split(text).ok_or_else(|| self.missing(text)),
        }
    }

    fn choose_head(&self, shown: &str) -> Result<Choice, GitError> {
        let empty = || GitError::Empty(shown.to_owned());
        if let Some(found) = self.head.as_deref().and_then(|head| self.at(head, None)) {
            return Ok(found);
        }
        let branches = || self.all.keys().filter(|name| name.starts_with("refs/heads/"));
        let usual = ["refs/heads/main", "refs/heads/master"];
        let Some(commit) = self.all.get("HEAD") else {
            // `git init --bare` names a branch, and another one was pushed. Hosts do not list such a HEAD at all.
            let only = branches().next().filter(|_| branches().count() == 1).map(String::as_str);
            let branch = usual.into_iter().find(|name| self.all.contains_key(*name)).or(only);
            let short = |name: &String| name.strip_prefix("refs/heads/").map(str::to_owned);
            return branch.and_then(|name| self.at(name, None)).ok_or_else(|| {
                let branches: Vec<String> = branches().filter_map(short).collect();
                if branches.is_empty() { empty() } else { GitError::NoDefault { url: shown.to_owned(), branches } }
            });
        };
        // A remote whose HEAD is detached, or too old to say what it names.
        let same = |name: &&str| self.all.get(*name) == Some(commit);
        let branch = usual.into_iter().find(same).or_else(|| branches().map(String::as_str).find(same));
        self.at(branch.unwrap_or("HEAD"), None).ok_or_else(empty)
    }

    fn at(&self, full_ref: &str, path: Option<&str>) -> Option<Choice> {
        let commit = self.all.get(full_ref)?.parse().ok()?;
        Some(Choice::Ref { full_ref: full_ref.to_owned(), commit, path: path.map(str::to_owned) })
    }

    /// A branch, then a tag, then a ref by its full name, then a commit.
    fn named(&self, name: &str, path: Option<&str>) -> Option<Choice> {
        self.at(&format!("refs/heads/{name}"), path)
            .or_else(|| self.at(&format!("refs/tags/{name}"), path))
            .or_else(|| self.at(name, path).filter(|_| name.starts_with("refs/")))
            .or_else(|| {
                let is_commit = (7..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
                is_commit.then(|| Choice::Commit { digits: name.to_ascii_lowercase(), path: path.map(str::to_owned) })
            })
    }

    /// The longest prefix that is a ref is the ref, the rest is the path.
    fn split(&self, text: &str) -> Option<Choice> {
        let mut end = text.len();
        loop {
            let path = text.get(end + 1..).filter(|path| !path.is_empty());
            if let Some(choice) = self.named(text.get(..end)?, path) {
                return Some(choice);
            }
            end = text.get(..end)?.rfind('/')?;
        }
    }

    fn missing(&self, name: &str) -> GitError {
        let short = |full: &String| {
            let short = full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/tags/"))?;
            Some(short.to_owned())
        };
        let wanted = name.to_lowercase();
        let mut near: Vec<(f64, String)> = self
            .all
            .keys()
            .filter_map(short)
            .map(|found| {
                let lower = found.to_lowercase();
                let bonus = if lower.contains(&wanted) || wanted.contains(&lower) { 0.3 } else { 0.0 };
                (strsim::jaro_winkler(&lower, &wanted) + bonus, found)
            })
            .filter(|(score, _)| *score >= 0.8)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        near.dedup_by(|a, b| a.1 == b.1);
        GitError::RefNotFound { name: name.to_owned(), near: near.into_iter().take(3).map(|(_, name)| name).collect() }
    }
}

/// `v9` before `v10`: numbers in names count as numbers.
fn by_version(a: &str, b: &str) -> Ordering {
    let parts = |name: &str| -> Vec<(u64, String)> {
        let mut parts: Vec<(String, String)> = vec![Default::default()];
        for c in name.chars() {
            let last = parts.len() - 1;
            let (digits, text) = &mut parts[last];
            match c.is_ascii_digit() {
                true if text.is_empty() => digits.push(c),
                true => parts.push((c.into(), String::new())),
                false => text.push(c),
            }
        }
        // So many digits that they are no number are no version either.
        parts.into_iter().map(|(digits, text)| (digits.parse().unwrap_or(0), text)).collect()
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn refs() -> Refs {
        let mut refs = Refs::default();
        refs.note("HEAD", A, Some("refs/heads/main"));
        refs.note("refs/heads/main", A, None);
        refs.note("refs/heads/feature/x", B, None);
        refs.note("refs/heads/release", A, None);
        refs.note("refs/pull/7/head", B, None);
        refs.note("refs/tags/v1", A, None);
        refs.note("refs/tags/v1^{}", B, None);
        refs.note("refs/tags/release", B, None);
        refs
    }

    fn chosen(reference: Reference) -> (String, String, Option<String>) {
        match refs().choose(&reference, "x").unwrap() {
            Choice::Ref { full_ref, commit, path } => (full_ref, commit.into(), path),
            Choice::Commit { digits, path } => ("commit".into(), digits, path),
        }
    }

    #[test]
    fn a_reference_finds_its_ref() {
        let of = |full: &str, commit: &str, path: Option<&str>| {
            (full.to_owned(), commit.to_owned(), path.map(str::to_owned))
        };
        assert_eq!(chosen(Reference::Head), of("refs/heads/main", A, None));
        assert_eq!(chosen(Reference::Name("release".into())), of("refs/heads/release", A, None), "branch first");
        assert_eq!(chosen(Reference::Tag("release".into())), of("refs/tags/release", B, None));
        assert_eq!(chosen(Reference::Name("v1".into())), of("refs/tags/v1", B, None), "what the tag tags");
        let split = |text: &str| chosen(Reference::RefAndPath(text.into()));
        assert_eq!(split("feature/x/src/lib.rs"), of("refs/heads/feature/x", B, Some("src/lib.rs")));
        assert_eq!(split("main"), of("refs/heads/main", A, None));
        assert_eq!(split("abcdef1/docs"), of("commit", "abcdef1", Some("docs")));
        let request = Reference::Request { number: 7, full_ref: "refs/pull/7/head".into() };
        assert_eq!(chosen(request), of("refs/pull/7/head", B, None));
    }

    #[test]
    fn branches_and_tags_are_told_the_likeliest_first() {
        let names = refs().names();
        assert_eq!((names.default.as_deref(), names.is_cut), (Some("main"), false));
        assert_eq!(names.branches, ["main", "feature/x", "release"], "no requests");
        assert_eq!(names.tags, ["v1", "release"]);

        let mut many = Refs::default();
        for number in 0..=TOLD {
            many.note(&format!("refs/heads/b{number}"), A, None);
            many.note(&format!("refs/tags/v1.{number}"), A, None);
        }
        many.note("refs/heads/trunk", B, None);
        many.note("HEAD", B, None);
        let names = many.names();
        assert!(names.is_cut);
        assert_eq!((names.branches.len(), names.branches[0].as_str()), (TOLD, "trunk"), "HEAD is its commit");
        assert_eq!((names.tags.len(), names.tags[0].as_str(), names.tags[1].as_str()), (TOLD, "v1.500", "v1.499"));
        assert_eq!(Refs::default().names(), RefNames::default(), "an empty repository has none");
    }

    #[test]
    fn a_missing_ref_names_its_neighbours() {
        let Err(GitError::RefNotFound { near, .. }) = refs().choose(&Reference::Name("mian".into()), "x") else {
            panic!("found");
        };
        assert_eq!(near, ["main"]);
        let Err(GitError::RefNotFound { near, .. }) = refs().choose(&Reference::Branch("x".into()), "x") else {
            panic!("found");
        };
        assert!(near.is_empty() || near == ["feature/x"], "{near:?}");
    }

    #[test]
    fn a_head_that_names_nothing_is_guessed_or_told() {
        let with = |branches: &[&str]| {
            let mut refs = Refs::default();
            refs.note("refs/tags/v1", A, None);
            for branch in branches {
                refs.note(&format!("refs/heads/{branch}"), A, None);
            }
            refs
        };
        let head = |refs: &Refs| refs.choose(&Reference::Head, "x");
        let guessed = |branches: &[&str]| match head(&with(branches)).unwrap() {
            Choice::Ref { full_ref, .. } => full_ref,
            other => panic!("{other:?}"),
        };
        assert_eq!(guessed(&["a", "main", "master"]), "refs/heads/main");
        assert_eq!(guessed(&["a", "master"]), "refs/heads/master");
        assert_eq!(guessed(&["trunk"]), "refs/heads/trunk");
        assert!(with(&["trunk"]).is_headless() && !refs().is_headless());
        // A host that lists what its HEAD names, though it is not there.
        let named = Refs { head: Some("refs/heads/master".to_owned()), ..with(&["a", "b"]) };
        for refs in [with(&["a", "b"]), named] {
            let Err(GitError::NoDefault { branches, .. }) = head(&refs) else { panic!("found") };
            assert_eq!(branches, ["a", "b"]);
        }
        assert!(matches!(head(&with(&[])), Err(GitError::Empty(_))));
    }

    #[test]
    fn an_empty_repository_says_so() {
        assert!(matches!(Refs::default().choose(&Reference::Head, "x"), Err(GitError::Empty(_))));
        let mut detached = Refs::default();
        detached.note("HEAD", A, None);
        detached.note("refs/heads/z", A, None);
        assert!(!detached.is_headless());
        let choice = detached.choose(&Reference::Head, "x").unwrap();
        assert!(matches!(choice, Choice::Ref { full_ref, .. } if full_ref == "refs/heads/z"));
    }
}
