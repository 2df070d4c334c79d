//! How a working copy reaches its origin from inside the workspace, and what is to be told about it.
//!
//! No secret is in what is written: Git asks the helper, and the helper has what the server handed over
//! after the start, if anything.

use std::fmt::Write as _;

use devcontainer::{Diagnostic, Severity};
use steading_core::config::Credential;
use steading_core::pod::inside::BINARY;
use steading_core::source::GitUrl;
use url::Url;

use super::dotgit::quoted;
use crate::git::Git;

/// The sections of `.git/config` that lead Git to the credentials of the origin's host; empty where the
/// server has none.
pub(super) fn config(git: &Git, origin: &GitUrl) -> String {
    let mut text = String::new();
    let Some((over_http, found)) = over_http(git, origin) else { return text };
    let base = over_http.origin().ascii_serialization();
    // Also where nothing is handed over yet: the helper answers from the next start after it is.
    let helper = quoted(&format!("{BINARY} credential"));
    let _ = writeln!(text, "[credential {}]\n\thelper = {helper}\n\tuseHttpPath = true", quoted(&base));
    if found.in_workspaces && origin.reveal().scheme() == "ssh" {
        // A private key never enters a workspace.
        let _ = writeln!(text, "[url {}]", quoted(&format!("{base}/")));
        for spelling in spellings(origin.reveal()) {
            let _ = writeln!(text, "\tinsteadOf = {}", quoted(&spelling));
        }
    }
    text
}

/// The section of `.git/config` for large files: the working copy has them, the commits have pointers to
/// them, and where the image has no git-lfs of its own the helper turns one into the other.
pub(super) fn lfs() -> String {
    format!("[filter \"lfs\"]\n\tclean = {BINARY} lfs-clean %f\n\tsmudge = {BINARY} lfs-smudge %f\n")
}

/// What a person has to know who wants to push; `None` where it works, or where the server knows no
/// more than they do.
pub(super) fn remark(git: &Git, origin: &GitUrl) -> Option<Diagnostic> {
    let address = git.address(origin).ok()?;
    if address.basic.is_none() && address.key.is_none() {
        return None;
    }
    if over_http(git, origin).is_some_and(|(_, found)| found.in_workspaces) {
        return None;
    }
    let host = origin.over_http().map_or_else(|| origin.host(), |url| GitUrl::new(url).host());
    let message = format!("the server's credentials for {host} stay outside: `git push` and `git fetch` ask for yours");
    let hint = format!(
        "Give them a user name and a token, or have the administrator set password and in_workspaces = true under \
         source.credentials.\"{host}\": every program in the workspace can then read that token, so it should be one for \
         these repositories alone."
    );
    Some(Diagnostic::new(Severity::Info, ".git/config", "git-push-needs-credentials", message).hint(hint))
}

/// What is configured for the origin's host over HTTP, if it may be sent there.
fn over_http<'a>(git: &'a Git, origin: &GitUrl) -> Option<(Url, &'a Credential)> {
    let url = origin.over_http()?;
    let found = git.inner.settings.credential(&url)?;
    (found.has_http() && found.may_travel_to(&url)).then_some((url, found))
}

/// How an SSH address of the same host and user begins: as a URL, and as `scp` writes it.
fn spellings(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    let user = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
    match url.port() {
        Some(port) => vec![format!("ssh://{user}{host}:{port}/")],
        None => vec![format!("ssh://{user}{host}/"), format!("{user}{host}:")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_ssh_address_are_known() {
        let of = |url: &str| spellings(&Url::parse(url).unwrap());
        assert_eq!(of("ssh://git@h.example/a/b"), ["ssh://git@h.example/", "git@h.example:"]);
        assert_eq!(of("ssh://git@h.example:2222/a/b"), ["ssh://git@h.example:2222/"]);
        assert_eq!(of("ssh://h.example/a/b"), ["ssh://h.example/", "h.example:"]);
    }
}
