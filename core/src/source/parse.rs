//! Text → [`Source`].

use url::Url;

use super::{GitSource, GitUrl, Reference, Source, SourceError, link, path, reference};
use crate::secret::REDACTED;

/// The longest text that is looked at.
pub const MAX_LENGTH: usize = 2048;

impl Source {
    /// Parses what a person pasted: a Git URL (`https`, `http`, `ssh`, `git@host:path`), a link to a
    /// page of a forge, each perhaps with `#revision` or `#revision:path` behind it. `local` allows
    /// absolute paths and `file:` URLs of this machine.
    ///
    /// # Errors
    /// See [`SourceError`]; no error repeats a secret.
    pub fn parse(text: &str, local: bool) -> Result<Self, SourceError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SourceError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(SourceError::TooLong(MAX_LENGTH));
        }
        let is_path = text.starts_with(['/', '.', '~']);
        if text.contains(|c: char| c.is_control() || (c.is_whitespace() && !is_path)) {
            return Err(SourceError::Unprintable);
        }
        if is_path {
            return parse_path(text, local);
        }
        let (address, fragment) = match text.split_once('#') {
            Some((address, fragment)) => (address, Some(path::unescape(fragment))),
            None => (text, None),
        };
        if fragment.as_deref().is_some_and(|f| f.contains(char::is_control)) {
            return Err(SourceError::Unprintable);
        }
        let (git, is_page) = match address.split_once("://") {
            Some(_) => parse_url(address, local)?,
            None => (parse_scp(address)?, false),
        };
        // Behind the address of a page stands a place on it (`#issuecomment-1`, `#L10`).
        with_fragment(git, fragment.as_deref().filter(|_| !is_page)).map(Self::Git)
    }
}

/// What stands behind `#`, in place of the default branch.
fn with_fragment(mut git: GitSource, fragment: Option<&str>) -> Result<GitSource, SourceError> {
    if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
        (git.reference, git.path) = reference::parse(fragment)?;
    }
    Ok(git)
}

/// The source, and whether the address is that of a page inside the repository.
fn parse_url(address: &str, local: bool) -> Result<(GitSource, bool), SourceError> {
    // `git+https://` and `git+ssh://` are how package managers write it.
    let address = match address.strip_prefix("git+") {
        Some(rest) if rest.starts_with("https:") || rest.starts_with("ssh:") || rest.starts_with("http:") => rest,
        _ => address,
    };
    let mut url = Url::parse(address).map_err(|_| SourceError::NotUrl(shown(address)))?;
    if url.username() == REDACTED {
        // Somebody pasted what we printed: the secret is not in it.
        let _ = url.set_username("");
    }
    match url.scheme() {
        "https" | "http" => parse_web(url),
        "ssh" => parse_ssh(url).map(|git| (git, false)),
        "file" => {
            if !matches!(url.host_str(), None | Some("" | "localhost")) {
                return Err(SourceError::NotUrl(shown(address)));
            }
            local_source(&path::unescape(url.path()), None, local).map(|git| (git, false))
        }
        other => Err(SourceError::Scheme(other.chars().take(20).collect())),
    }
}

fn parse_web(mut url: Url) -> Result<(GitSource, bool), SourceError> {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_prefix("www.").map_or(host.clone(), str::to_owned);
    let parts: Vec<String> = url.path_segments().map(|parts| parts.map(path::unescape).collect()).unwrap_or_default();
    if parts.iter().any(|part| part == ".." || part.contains(char::is_control)) {
        return Err(SourceError::NotUrl(shown(url.as_str())));
    }
    let pairs: Vec<(String, String)> = url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let query = |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let link = link::read(&host, &parts, &query)?;
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(link.repository.split('/'));
    }
    Ok((GitSource { url: GitUrl::new(url), reference: link.reference, path: link.path }, link.is_page))
}

fn parse_ssh(mut url: Url) -> Result<GitSource, SourceError> {
    let trimmed = url.path().trim_end_matches('/').to_owned();
    if url.host_str().is_none_or(str::is_empty) || trimmed.is_empty() {
        return Err(SourceError::NoRepository(shown(url.as_str())));
    }
    url.set_query(None);
    url.set_path(&trimmed);
    plain_host(url.host_str().unwrap_or_default(), url.as_str())?;
    if url.username().starts_with('-') {
        return Err(SourceError::NotUrl(shown(url.as_str())));
    }
    Ok(GitSource { url: GitUrl::new(url), reference: Reference::Head, path: None })
}

/// `user@host:path`, as `ssh` and `scp` take it; the same repository as `ssh://user@host/path`.
fn parse_scp(address: &str) -> Result<GitSource, SourceError> {
    let not_url = || SourceError::NotUrl(shown(address));
    let (place, path) = address.split_once(':').ok_or_else(not_url)?;
    let (user, host) = place.rsplit_once('@').ok_or_else(not_url)?;
    if user.is_empty() || user.contains(['/', ':', '@']) {
        return Err(not_url());
    }
    plain_host(host, address)?;
    if path.trim_matches('/').is_empty() {
        return Err(SourceError::NoRepository(shown(address)));
    }
    let mut url = Url::parse(&format!("ssh://{host}/")).map_err(|_| not_url())?;
    url.set_username(user).map_err(|()| not_url())?;
    url.set_path(&format!("/{}", path.trim_start_matches('/')));
    parse_ssh(url)
}

/// A host that starts with `-` could be taken for an option by a program it is handed to.
fn plain_host(host: &str, whole: &str) -> Result<(), SourceError> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || ".-_[]:".contains(c));
    if host.is_empty() || host.starts_with('-') || host.contains(odd) {
        return Err(SourceError::NotUrl(shown(whole)));
    }
    Ok(())
}

fn parse_path(text: &str, local: bool) -> Result<Source, SourceError> {
    if !text.starts_with('/') {
        return Err(if local { SourceError::Relative(shown(text)) } else { SourceError::NotUrl(shown(text)) });
    }
    let (folder, fragment) = match text.split_once('#') {
        Some((folder, fragment)) => (folder, Some(path::unescape(fragment))),
        None => (text, None),
    };
    local_source(folder, fragment.as_deref(), local).map(Source::Git)
}

fn local_source(folder: &str, fragment: Option<&str>, local: bool) -> Result<GitSource, SourceError> {
    if !local {
        return Err(SourceError::Local(shown(folder)));
    }
    if folder.contains(char::is_control) {
        return Err(SourceError::Unprintable);
    }
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(SourceError::Relative(shown(folder)));
    }
    if parts.is_empty() {
        return Err(SourceError::NoRepository(shown(folder)));
    }
    let url =
        Url::from_file_path(format!("/{}", parts.join("/"))).map_err(|()| SourceError::Relative(shown(folder)))?;
    with_fragment(GitSource { url: GitUrl::new(url), reference: Reference::Head, path: None }, fragment)
}

/// A text for an error: short, and without whatever could be a password, a token or a query.
fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("//").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = match rest.rsplit_once('@') {
        Some((user, rest)) if !scheme.is_empty() || user.contains(':') => format!("{REDACTED}@{rest}"),
        _ => rest.to_owned(),
    };
    let whole = if text.contains("//") { format!("{scheme}//{rest}") } else { rest };
    whole.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
