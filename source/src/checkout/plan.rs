//! What a checkout consists of: the repository and its submodules, each at a commit, all of them fetched.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use devcontainer::Diagnostic;
use steading_core::fault::Fault;
use steading_core::log::LogSink;
use steading_core::source::{Commit, GitSource, GitUrl, Reference};
use url::Url;

use super::survey::{Survey, survey};
use super::worktree::Room;
use super::{lfs, modules, push};
use crate::error::GitError;
use crate::git::mirror::Mirror;
use crate::git::{Git, STREAM};
use crate::report::blocking;

/// How deep submodules may be nested, and how many there may be.
const MAX_DEPTH: usize = 10;
const MAX_PARTS: usize = 500;

/// One repository of a checkout.
#[derive(Debug)]
pub(super) struct Part {
    /// Where its objects are.
    pub mirror: Mirror,
    /// What is checked out.
    pub commit: Commit,
    /// Its folder in the working copy; empty for the root.
    pub work: String,
    /// Its `.git` folder, from the root.
    pub git: String,
    /// The remote's URL, without secrets.
    pub origin: Url,
    /// The branch that is checked out.
    pub branch: Option<Branch>,
    /// Submodules that are there: name, path and URL.
    pub modules: Vec<(String, String, String)>,
    /// Whether some files are to have the line ends of Windows.
    pub crlf: bool,
    /// Large files by the path of their pointer.
    pub large: BTreeMap<String, PathBuf>,
    /// More sections of its configuration.
    pub config: String,
}

/// A branch and what it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    /// Its name.
    pub name: String,
    /// The full name of the ref at the remote.
    pub follows: String,
}

struct Next {
    source: GitSource,
    commit: Commit,
    work: String,
    git: String,
    depth: usize,
    branch: Option<Branch>,
}

/// Fetches everything that a checkout needs.
pub(super) async fn plan(
    git: &Git,
    source: &GitSource,
    commit: &Commit,
    branch: Option<&str>,
    log: &dyn LogSink,
) -> Result<(Vec<Part>, Vec<Diagnostic>), GitError> {
    let branch = branch.map(|name| Branch { name: name.to_owned(), follows: followed(&source.reference, name) });
    let root = Next {
        source: source.clone(),
        commit: commit.clone(),
        work: String::new(),
        git: ".git".to_owned(),
        depth: 0,
        branch,
    };
    let (mut parts, mut diagnostics) = (Vec::new(), Vec::new());
    let config = push::config(git, &source.url);
    let mut room = Room::new(git.inner.settings.max_mib);
    let mut queue = VecDeque::from([root]);
    while let Some(next) = queue.pop_front() {
        let mirror = match git.ensure(&next.source, &next.commit, log).await {
            Ok(mirror) => mirror,
            Err(error) if next.depth == 0 => return Err(error),
            Err(error) => {
                diagnostics.push(unreachable(&next, &error));
                continue;
            }
        };
        let found = {
            let (mirror, commit) = (mirror.clone(), next.commit.clone());
            blocking(log, STREAM, move |_| survey(&mirror, &commit)).await?
        };
        // Known before the first byte is sent: an archive that broke off says less.
        room.take(found.bytes)?;
        let (large, missing) = lfs::fetch(git, &next.source, &found, &next.work, &mut room, log).await;
        diagnostics.extend(missing);
        let mut part = Part {
            mirror,
            commit: next.commit.clone(),
            work: next.work.clone(),
            git: next.git.clone(),
            origin: next.source.url.without_secrets(),
            branch: next.branch.clone(),
            modules: Vec::new(),
            crlf: found.crlf,
            large,
            config: if found.has_lfs { config.clone() + &push::lfs() } else { config.clone() },
        };
        enqueue(git, &next, found, &mut part, &mut queue, &mut diagnostics, parts.len());
        parts.push(part);
    }
    diagnostics.extend(push::remark(git, &source.url));
    Ok((parts, diagnostics))
}

fn enqueue(
    git: &Git,
    parent: &Next,
    found: Survey,
    part: &mut Part,
    queue: &mut VecDeque<Next>,
    diagnostics: &mut Vec<Diagnostic>,
    parts: usize,
) {
    for path in found.unknown {
        let message = format!("the submodule at {} has no address in .gitmodules", inside(&parent.work, &path));
        diagnostics.push(Diagnostic::warning(".gitmodules", "submodule-without-address", message));
    }
    let has_key = |url: &GitUrl| git.address(url).is_ok_and(|address| address.key.is_some());
    for (module, commit) in found.modules {
        let work = inside(&parent.work, &module.path);
        let source = modules::source(&module.url, &parent.source, has_key);
        let refused = match &source {
            None => Some("its address is not one that is fetched from"),
            Some(_) if parent.depth + 1 > MAX_DEPTH => Some("submodules are nested too deeply"),
            Some(_) if parts + queue.len() + 1 >= MAX_PARTS => Some("there are too many submodules"),
            Some(_) => None,
        };
        match (source, refused) {
            (Some(mut source), None) => {
                // Its commit is what counts; a ref of its own would be fetched in vain.
                source.reference = Reference::Commit(commit.to_string());
                let url = source.url.without_secrets().to_string();
                part.modules.push((module.name.clone(), module.path, url));
                let git = format!("{}/modules/{}", parent.git, module.name);
                queue.push_back(Next { source, commit, work, git, depth: parent.depth + 1, branch: None });
            }
            (_, reason) => {
                let message = format!("the submodule at {work} is empty: {}", reason.unwrap_or_default());
                diagnostics.push(
                    Diagnostic::warning(".gitmodules", "submodule-not-fetched", message)
                        .hint("Use an https:// or ssh:// address, or a relative one."),
                );
            }
        }
    }
}

/// The ref at the remote that a branch follows.
fn followed(reference: &Reference, branch: &str) -> String {
    match reference {
        Reference::Request { full_ref, .. } => full_ref.clone(),
        Reference::Name(name) if name.starts_with("refs/") => name.clone(),
        _ => format!("refs/heads/{branch}"),
    }
}

fn unreachable(next: &Next, error: &GitError) -> Diagnostic {
    let message = format!("the submodule at {} is empty: {error}", next.work);
    let hint = error.hint().unwrap_or_else(|| "Run `git submodule update --init --recursive` later.".to_owned());
    Diagnostic::warning(".gitmodules", "submodule-not-fetched", message).hint(hint)
}

/// A path inside a folder of the working copy.
pub(super) fn inside(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}
