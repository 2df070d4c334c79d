//! Links to pages of forges: which part of the path is the repository, and what the rest points to.
//!
//! The rules go by the shape of the path, so that self-hosted forges are read like the public ones.

use super::{Reference, SourceError, path, reference};

/// What the path of a web address turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The path of the repository, without a slash at either end.
    pub repository: String,
    /// What is meant in it.
    pub reference: Reference,
    /// Where in it.
    pub path: Option<String>,
    /// Whether the address is that of a page inside the repository, so that a fragment is a place on
    /// that page and no revision.
    pub is_page: bool,
}

/// Hosts whose repositories are always `owner/name`, so that whatever follows is a page.
const TWO_LEVELS: [&str; 3] = ["github.com", "bitbucket.org", "codeberg.org"];

/// Hosts where a lone component is an owner, never a repository.
fn has_owners(host: &str) -> bool {
    TWO_LEVELS.contains(&host) || host == "gitlab.com"
}

/// Reads a path whose components are already unescaped. `query` answers for `?key=value`.
///
/// What is left as the repository is read again until it stays, so that a source means the same
/// after it was printed.
pub(super) fn read(host: &str, parts: &[String], query: &dyn Fn(&str) -> Option<String>) -> Result<Link, SourceError> {
    let mut link = read_once(host, parts, query)?;
    loop {
        let parts: Vec<String> = link.repository.split('/').map(str::to_owned).collect();
        let inner = read_once(host, &parts, &|_| None)?;
        if inner.repository.len() >= link.repository.len() {
            return Ok(link);
        }
        link.repository = inner.repository;
        link.is_page = true;
        if link.reference == Reference::Head && link.path.is_none() {
            (link.reference, link.path) = (inner.reference, inner.path);
        }
    }
}

fn read_once(host: &str, parts: &[String], query: &dyn Fn(&str) -> Option<String>) -> Result<Link, SourceError> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || (parts.len() == 1 && has_owners(host)) {
        return Err(SourceError::NoRepository(format!("{host}/{}", parts.join("/"))));
    }
    if let Some(link) = bitbucket_server(&parts, query)? {
        return Ok(link);
    }
    if let Some(link) = azure(&parts, query)? {
        return Ok(link);
    }
    if let Some(at) = parts.iter().position(|part| *part == "-").filter(|at| *at >= 2) {
        return page(host, &parts[..at], &parts[at + 1..], query)
            .map(|link| link.unwrap_or_else(|| other_page(&parts[..at], &parts[at + 1..], query)));
    }
    if let Some(at) = parts.iter().position(|part| part.len() > 4 && part.ends_with(".git")) {
        let (repository, rest) = parts.split_at(at + 1);
        return page(host, repository, rest, query)
            .map(|link| link.unwrap_or_else(|| other_page(repository, rest, query)));
    }
    for at in 2..parts.len() {
        if let Some(link) = page(host, &parts[..at], &parts[at..], query)? {
            return Ok(link);
        }
    }
    let (repository, rest) = if TWO_LEVELS.contains(&host) { parts.split_at(2) } else { parts.split_at(parts.len()) };
    // These two ignore `ref`, and sites that link to them put their own names into it.
    let is_deaf = matches!(host, "github.com" | "bitbucket.org");
    let mut link = if is_deaf { other_page(repository, rest, &|_| None) } else { other_page(repository, rest, query) };
    // GitHub shows a README's headings so: `?tab=readme-ov-file#install`.
    link.is_page |= host == "github.com" && query("tab").is_some();
    Ok(link)
}

/// The repository itself, or a page of it that shows no revision, unless the query names one.
fn other_page(repository: &[&str], rest: &[&str], query: &dyn Fn(&str) -> Option<String>) -> Link {
    let named = query("ref").and_then(|name| reference::named(&name).ok());
    let is_page = named.is_some() || !rest.is_empty();
    Link { repository: repository.join("/"), reference: named.unwrap_or(Reference::Head), path: None, is_page }
}

/// What the components after the repository point to; `None` if they are no page that we know.
fn page(
    host: &str,
    repository: &[&str],
    rest: &[&str],
    query: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Link>, SourceError> {
    let link = |reference, path| Ok(Some(Link { repository: repository.join("/"), reference, path, is_page: true }));
    let request = |number: &str, space: &str| match number.parse::<u64>() {
        Ok(number) => link(Reference::Request { number, full_ref: format!("refs/{space}/{number}/head") }, None),
        Err(_) => Ok(None),
    };
    let tag = |name: &[&str]| {
        let name = name.join("/");
        reference::checked_name(&name)?;
        link(Reference::Tag(name), None)
    };
    let branch = |name: &[&str]| {
        let name = name.join("/");
        reference::checked_name(&name)?;
        link(Reference::Branch(name), None)
    };
    match rest {
        // Gitea and Forgejo say what kind of revision it is, but not where its name ends.
        ["src" | "raw" | "media" | "blame" | "commits" | "rss", "commit", sha, path @ ..] => {
            link(reference::commit(sha)?, path::inside(&path.join("/"))?)
        }
        ["commits", "branch", name @ ..] if host == "bitbucket.org" && !name.is_empty() => branch(name),
        ["commits", "tag", name @ ..] if host == "bitbucket.org" && !name.is_empty() => tag(name),
        ["src" | "raw" | "media" | "blame" | "commits" | "rss", kind @ ("branch" | "tag"), name, path @ ..] => {
            let kind = if *kind == "tag" { Kind::Tag } else { Kind::Branch };
            ref_and_path(repository, &joined(name, path), kind)
        }
        [
            "tree" | "blob" | "blame" | "raw" | "edit" | "commits" | "find",
            "refs",
            kind @ ("heads" | "tags"),
            name,
            path @ ..,
        ] => {
            let kind = if *kind == "tags" { Kind::Tag } else { Kind::Branch };
            ref_and_path(repository, &joined(name, path), kind)
        }
        // Sourcehut writes where the name of the revision ends.
        ["tree" | "log" | "blame", name @ .., "item"] if is_sourcehut(repository) && !name.is_empty() => {
            link(reference::named(&name.join("/"))?, None)
        }
        ["tree" | "log" | "blame", rest @ ..] if is_sourcehut(repository) && rest.contains(&"item") => {
            let at = rest.iter().position(|part| *part == "item").unwrap_or_default();
            link(reference::named(&rest[..at].join("/"))?, path::inside(&rest[at + 1..].join("/"))?)
        }
        ["tree" | "log", name @ ..] if is_sourcehut(repository) && !name.is_empty() => {
            link(reference::named(&name.join("/"))?, None)
        }
        ["refs", name @ ..] if is_sourcehut(repository) && !name.is_empty() => tag(name),
        ["tree" | "blob" | "blame" | "raw" | "edit" | "commits", name, path @ ..]
            if !(host == "bitbucket.org" && rest[0] == "commits") =>
        {
            ref_and_path(repository, &joined(name, path), Kind::asked(query))
        }
        ["commit" | "commits", sha, ..] => link(reference::commit(sha)?, None),
        // Bitbucket's branch page, and its `src`, which has a revision without a word for its kind.
        ["branch", name @ ..] if !name.is_empty() => branch(name),
        ["src", name, path @ ..] if host == "bitbucket.org" => match query("at").filter(|at| !at.is_empty()) {
            Some(at) => link(reference::named(&at)?, path::inside(&path.join("/"))?),
            None => ref_and_path(repository, &joined(name, path), Kind::Any),
        },
        // A tag may have slashes in its name, and not every forge escapes them.
        ["releases", "tag", name @ ..] if !name.is_empty() => tag(name),
        ["releases", "download", name @ .., _] if !name.is_empty() => tag(name),
        ["releases", "new" | "latest" | "permalink" | "tag" | "download" | "edit" | "expanded_assets", ..]
        | ["tags", "new"] => link(Reference::Head, None),
        ["releases" | "tags", name, rest @ ..] => {
            let is_page = |part: &&str| matches!(*part, "edit" | "evidences" | "downloads");
            let rest = rest.iter().copied().take_while(|part| !is_page(part));
            tag(&std::iter::once(*name).chain(rest).collect::<Vec<_>>())
        }
        ["pull" | "pulls", number, ..] => request(number, "pull"),
        ["merge_requests", number, ..] => request(number, "merge-requests"),
        ["pull-requests", number, ..] => match number.parse() {
            Ok(number) => Err(SourceError::NoRequestRef { host: host.to_owned(), number }),
            Err(_) => Ok(None),
        },
        ["issues" | "discussions" | "milestone", number, ..] if number.parse::<u64>().is_ok() => {
            link(Reference::Head, None)
        }
        _ => Ok(None),
    }
}

/// Whether a repository is one of a Sourcehut: owners have a tilde there.
fn is_sourcehut(repository: &[&str]) -> bool {
    matches!(repository, [owner, _] if owner.starts_with('~'))
}

/// What a link says of the name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A branch, a tag or a commit.
    Any,
    Branch,
    Tag,
}

impl Kind {
    /// As GitLab's links have it in their query.
    fn asked(query: &dyn Fn(&str) -> Option<String>) -> Self {
        match query("ref_type").as_deref() {
            Some("heads") => Self::Branch,
            Some("tags") => Self::Tag,
            _ => Self::Any,
        }
    }

    /// The full name of a revision of this kind.
    fn full(self, name: &str) -> String {
        match self {
            Self::Any => name.to_owned(),
            Self::Branch => format!("refs/heads/{name}"),
            Self::Tag => format!("refs/tags/{name}"),
        }
    }
}

fn joined(first: &str, rest: &[&str]) -> String {
    std::iter::once(first).chain(rest.iter().copied()).collect::<Vec<_>>().join("/")
}

/// A revision and perhaps a path, as one text. Without a slash in it there is nothing to guess.
fn ref_and_path(repository: &[&str], text: &str, kind: Kind) -> Result<Option<Link>, SourceError> {
    let link = |reference, path| Ok(Some(Link { repository: repository.join("/"), reference, path, is_page: true }));
    let named = |name: &str| match (kind, name) {
        // READMEs link so, whatever the default branch is called.
        (Kind::Any, "HEAD") => Ok(Reference::Head),
        (kind, name) => reference::named(&kind.full(name)),
    };
    let Some((first, rest)) = text.split_once('/') else { return link(named(text)?, None) };
    let alone = named(first)?;
    if matches!(alone, Reference::Commit(_) | Reference::Head) {
        return link(alone, path::inside(rest)?);
    }
    // The text is a ref followed by a path: it must be fit for both.
    let clean = path::inside(text)?.unwrap_or_default();
    if clean.starts_with('-') || clean.contains([':', '~', '^', '?', '*', '[', '\\']) || clean.contains("..") {
        // Only the path may hold such characters; the ref is then the first component.
        return link(alone, path::inside(rest)?);
    }
    match reference::checked_name(&clean) {
        Ok(()) => link(Reference::RefAndPath(kind.full(&clean)), None),
        Err(_) => link(alone, path::inside(rest)?),
    }
}

/// `/projects/P/repos/R/…` and `/users/U/repos/R/…` of Bitbucket Data Center, cloned from `/scm/P/R.git`.
fn bitbucket_server(parts: &[&str], query: &dyn Fn(&str) -> Option<String>) -> Result<Option<Link>, SourceError> {
    let Some(at) = parts.iter().position(|part| *part == "repos").filter(|at| *at >= 2) else { return Ok(None) };
    let (prefix, space, owner) = (&parts[..at - 2], parts[at - 2], parts[at - 1]);
    let owner = match space {
        "projects" => owner.to_owned(),
        "users" => format!("~{owner}"),
        _ => return Ok(None),
    };
    let Some(name) = parts.get(at + 1) else { return Ok(None) };
    let rest = &parts[at + 2..];
    let repository =
        prefix.iter().copied().chain(["scm", &owner, &format!("{name}.git")]).collect::<Vec<_>>().join("/");
    let at_query = || query("at").filter(|at| !at.is_empty()).map_or(Ok(Reference::Head), |at| reference::named(&at));
    let (reference, path) = match rest {
        ["browse" | "raw", path @ ..] => (at_query()?, path::inside(&path.join("/"))?),
        ["commits", sha, ..] => (reference::commit(sha)?, None),
        ["pull-requests", number, ..] => match number.parse() {
            Ok(number) => (Reference::Request { number, full_ref: format!("refs/pull-requests/{number}/from") }, None),
            Err(_) => (Reference::Head, None),
        },
        _ => (at_query()?, None),
    };
    let is_page = !rest.is_empty() || reference != Reference::Head;
    Ok(Some(Link { repository, reference, path, is_page }))
}

/// `…/_git/R?version=GBmain&path=/x` of Azure DevOps: B is a branch, T a tag, C a commit.
fn azure(parts: &[&str], query: &dyn Fn(&str) -> Option<String>) -> Result<Option<Link>, SourceError> {
    let Some(at) = parts.iter().position(|part| *part == "_git") else { return Ok(None) };
    let Some(repository) = parts.get(..at + 2) else { return Ok(None) };
    let reference = match (parts.get(at + 2..), query("version")) {
        (Some(["pullrequest", number, ..]), _) if number.parse::<u64>().is_ok() => Reference::Request {
            number: number.parse().unwrap_or_default(),
            full_ref: format!("refs/pull/{number}/merge"),
        },
        (Some(["commit", sha, ..]), _) => reference::commit(sha)?,
        (_, Some(version)) => match (version.get(..2), version.get(2..)) {
            (Some("GB"), Some(name)) => reference::named(&format!("refs/heads/{name}"))?,
            (Some("GT"), Some(name)) => reference::named(&format!("refs/tags/{name}"))?,
            (Some("GC"), Some(sha)) => reference::commit(sha)?,
            _ => Reference::Head,
        },
        _ => Reference::Head,
    };
    let path = query("path").map(|path| path::inside(&path)).transpose()?.flatten();
    let is_page = parts.len() > at + 2 || reference != Reference::Head || path.is_some();
    Ok(Some(Link { repository: repository.join("/"), reference, path, is_page }))
}
