//! Large files (Git LFS): asked for over the batch API, kept by their hash.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use devcontainer::{Diagnostic, Severity};
use futures::{StreamExt, stream};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steading_core::log::LogSink;
use steading_core::source::GitSource;
use url::Url;

use super::plan::inside;
use super::survey::{Pointer, Survey};
use super::worktree::Room;
use crate::error::GitError;
use crate::git::access::Address;
use crate::git::client::MAX_REDIRECTS;
use crate::git::{Git, STREAM};
use crate::tidy;

const KIND: &str = "application/vnd.git-lfs+json";
/// Hosts take at most this many in one question.
const BATCH: usize = 100;
/// The longest answer to one: ten KiB for each address and what it is to be asked with.
const LONGEST_ANSWER: usize = 1 << 20;
/// Files that are fetched at once.
const PARALLEL: usize = 4;

#[derive(Debug, Serialize)]
struct Object {
    oid: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    operation: &'a str,
    transfers: [&'a str; 1],
    objects: &'a [Object],
}

#[derive(Debug, Deserialize)]
struct Answer {
    objects: Vec<Found>,
}

/// Where a host says that an object is. What size it says is of no interest: the pointer's counts.
#[derive(Debug, Deserialize)]
struct Found {
    oid: String,
    #[serde(default)]
    actions: BTreeMap<String, Action>,
}

#[derive(Debug, Clone, Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, String>,
}

/// The large files of a commit by their path in the repository, and what is to be told about them.
pub(super) async fn fetch(
    git: &Git,
    source: &GitSource,
    found: &Survey,
    work: &str,
    room: &mut Room,
    log: &dyn LogSink,
) -> (BTreeMap<String, PathBuf>, Vec<Diagnostic>) {
    if found.pointers.is_empty() {
        return (BTreeMap::new(), Vec::new());
    }
    let total = found.pointers.iter().fold(0_u64, |sum, pointer| sum.saturating_add(pointer.size));
    if let Err(error) = room.take(total) {
        let missing: Vec<&Pointer> = found.pointers.iter().collect();
        return (BTreeMap::new(), vec![remark(&missing, missing.len(), work, Some(&error))]);
    }
    let store = git.inner.folder.join("lfs");
    let mut wanted: BTreeMap<&str, &Pointer> = BTreeMap::new();
    for pointer in found.pointers.iter().filter(|pointer| !place(&store, &pointer.oid).exists()) {
        wanted.insert(&pointer.oid, pointer);
    }
    let failure = if wanted.is_empty() {
        None
    } else {
        log.write(STREAM, &format!("Fetching {} large files", wanted.len()));
        let wanted: Vec<Object> = wanted.values().map(|p| Object { oid: p.oid.clone(), size: p.size }).collect();
        let minutes = git.inner.settings.fetch_minutes;
        let brought = bring(git, source, found.lfs_url.as_deref(), wanted, &store);
        match tokio::time::timeout(Duration::from_secs(u64::from(minutes) * 60), brought).await {
            Ok(brought) => brought.err(),
            Err(_) => Some(GitError::TooLong { host: source.url.host(), minutes }),
        }
    };
    let here: BTreeMap<String, PathBuf> = found
        .pointers
        .iter()
        .map(|pointer| (pointer.path.clone(), place(&store, &pointer.oid)))
        .filter(|(_, path)| path.exists())
        .inspect(|(_, path)| tidy::touch(path))
        .collect();
    let missing: Vec<&Pointer> = found.pointers.iter().filter(|pointer| !here.contains_key(&pointer.path)).collect();
    (here, vec![remark(&missing, found.pointers.len(), work, failure.as_ref())])
}

fn remark(missing: &[&Pointer], all: usize, work: &str, failure: Option<&GitError>) -> Diagnostic {
    let file = inside(work, ".gitattributes");
    let Some(first) = missing.first() else {
        let message = format!("{all} large files were fetched with Git LFS");
        return Diagnostic::new(Severity::Info, &file, "lfs-files", message)
            .hint("To push changes of them the image needs git-lfs.");
    };
    let reason = failure.map_or_else(|| "the host does not have them".to_owned(), ToString::to_string);
    let message =
        format!("{} of {all} large files are only pointers ({}): {reason}", missing.len(), inside(work, &first.path));
    Diagnostic::warning(&file, "lfs-not-fetched", message)
        .hint("Run `git lfs pull` in the workspace, in an image with git-lfs.")
}

/// Where a large file is kept.
fn place(store: &Path, oid: &str) -> PathBuf {
    store.join(&oid[..2]).join(&oid[2..4]).join(oid)
}

async fn bring(
    git: &Git,
    source: &GitSource,
    configured: Option<&str>,
    wanted: Vec<Object>,
    store: &Path,
) -> Result<(), GitError> {
    let address = git.address(&source.url)?;
    if address.url.scheme() == "file" {
        return copy_local(&address, &wanted, store);
    }
    let endpoint = endpoint(&address, configured)?;
    let (mut wanted, mut failure) = (wanted, None);
    while !wanted.is_empty() {
        let rest = wanted.split_off(wanted.len().min(BATCH));
        let found = ask(git, &endpoint, &address, &wanted).await?;
        let fetches = offered(wanted, found);
        let fetches = fetches.into_iter().map(|(object, action)| download(git, object, action, &address, store));
        let mut done = stream::iter(fetches.collect::<Vec<_>>()).buffer_unordered(PARALLEL);
        while let Some(one) = done.next().await {
            // One that is not to be had says nothing about the others.
            failure = failure.or(one.err());
        }
        wanted = rest;
    }
    failure.map_or(Ok(()), Err)
}

/// What was wanted and is offered, each once. The host does not choose what we fetch, nor how much of it.
fn offered(wanted: Vec<Object>, found: Vec<Found>) -> Vec<(Object, Action)> {
    let mut wanted: BTreeMap<String, Object> = wanted.into_iter().map(|object| (object.oid.clone(), object)).collect();
    let offer = |mut found: Found| Some((wanted.remove(&found.oid)?, found.actions.remove("download")?));
    found.into_iter().filter_map(offer).collect()
}

/// Where a repository's large files are asked for.
fn endpoint(address: &Address, configured: Option<&str>) -> Result<Url, GitError> {
    let configured =
        configured.and_then(|url| Url::parse(url).ok()).filter(|url| matches!(url.scheme(), "https" | "http"));
    let base = match configured {
        Some(url) => url.to_string(),
        None => {
            let base = address.over_http().unwrap_or_else(|| address.url.clone());
            let base = base.as_str().trim_end_matches('/');
            if base.ends_with(".git") { format!("{base}/info/lfs") } else { format!("{base}.git/info/lfs") }
        }
    };
    Url::parse(&format!("{}/objects/batch", base.trim_end_matches('/')))
        .map_err(|_| GitError::NotRepository(address.shown()))
}

async fn ask(git: &Git, endpoint: &Url, address: &Address, objects: &[Object]) -> Result<Vec<Found>, GitError> {
    let host = address.host.as_str();
    let question = Question { operation: "download", transfers: ["basic"], objects };
    // Hosts send even this on, and want to be asked the same there.
    let response = follow(git, Method::POST, endpoint, address, &|request, to| {
        let request = request.json(&question).header("Accept", KIND).header("Content-Type", KIND);
        signed(request, address, to)
    })
    .await?;
    let status = response.status();
    if status == reqwest::StatusCode::UNAUTHORIZED || status == reqwest::StatusCode::FORBIDDEN {
        return Err(GitError::CredentialsRefused { host: host.to_owned() });
    }
    let failed = |reason: String| GitError::Remote { host: host.to_owned(), reason };
    if !status.is_success() {
        return Err(failed(format!("it has no Git LFS ({status})")));
    }
    let mut answer = Vec::new();
    let mut body = pin!(git.inner.client.body(response, host));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if answer.len() + chunk.len() > LONGEST_ANSWER {
            return Err(failed(format!("its Git LFS answer is longer than {} KiB", LONGEST_ANSWER >> 10)));
        }
        answer.extend_from_slice(&chunk);
    }
    let answer = serde_json::from_slice::<Answer>(&answer);
    Ok(answer.map_err(|_| failed("its Git LFS answer cannot be read".to_owned()))?.objects)
}

/// Asks, and goes on where the host sends us, by the rules for repositories. `build` makes a request for
/// an address what it is to be.
async fn follow(
    git: &Git,
    method: Method,
    url: &Url,
    address: &Address,
    build: &(dyn Fn(RequestBuilder, &Url) -> RequestBuilder + Sync),
) -> Result<Response, GitError> {
    let (client, host) = (&git.inner.client, address.host.as_str());
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let request = build(client.request(method.clone(), &url, host)?, &url);
        let response = client.send(request, host).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let nowhere = || GitError::Remote { host: host.to_owned(), reason: "it redirects to nowhere".to_owned() };
        url = client.next(&response).ok_or_else(nowhere)?;
    }
    Err(GitError::Remote { host: host.to_owned(), reason: "it redirects in circles".to_owned() })
}

/// The same with who we are, where that is for this address.
fn signed(request: RequestBuilder, address: &Address, to: &Url) -> RequestBuilder {
    match address.basic_at(to) {
        Some(basic) => request.basic_auth(&basic.username, Some(basic.password.reveal())),
        None => request,
    }
}

async fn download(
    git: &Git,
    Object { oid, size }: Object,
    action: Action,
    address: &Address,
    store: &Path,
) -> Result<(), GitError> {
    let host = address.host.as_str();
    let failed = |reason: &str| GitError::Remote { host: host.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(&action.href).map_err(|_| failed("it names no address for a large file"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(failed("it names no address for a large file"));
    }
    let has_own = action.header.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    let response = follow(git, Method::GET, &url, address, &|request, to| {
        // What it is to be asked with is for the place that was named, and for nobody it sends us on to.
        if to.origin() != url.origin() {
            return request;
        }
        let request = action.header.iter().fold(request, |request, (name, value)| request.header(name, value));
        if has_own { request } else { signed(request, address, to) }
    })
    .await?;
    if !response.status().is_success() {
        return Err(failed(&format!("a large file is not there ({})", response.status())));
    }
    let mut file = tempfile::NamedTempFile::new_in(git.inner.scratch.path())?;
    let (mut hash, mut got) = (Sha256::new(), 0_u64);
    let mut body = pin!(git.inner.client.body(response, host));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        got += chunk.len() as u64;
        if got > size {
            break;
        }
        hash.update(&chunk);
        file.write_all(&chunk)?;
    }
    if got != size || hex::encode(hash.finalize()) != oid {
        return Err(failed("a large file is not what its pointer says"));
    }
    keep(file, store, &oid)
}

fn keep(file: tempfile::NamedTempFile, store: &Path, oid: &str) -> Result<(), GitError> {
    let to = place(store, oid);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    file.persist(&to).map_err(|error| GitError::Disk(error.error))?;
    Ok(())
}

/// Takes large files from a repository of this machine.
fn copy_local(address: &Address, wanted: &[Object], store: &Path) -> Result<(), GitError> {
    let root = address.url.to_file_path().map_err(|()| GitError::NotRepository(address.shown()))?;
    for object in wanted {
        let found = [".git/lfs/objects", "lfs/objects"].map(|folder| place(&root.join(folder), &object.oid));
        let Some(from) = found.into_iter().find(|path| path.is_file()) else { continue };
        let to = place(store, &object.oid);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        // Written beside and renamed, so that a copy that broke off is not taken for the file.
        let part = tempfile::NamedTempFile::new_in(store)?;
        fs::copy(from, part.path())?;
        part.persist(&to).map_err(|error| GitError::Disk(error.error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_wanted_is_fetched_once_and_by_its_pointer() {
        let object = |oid: &str, size| Object { oid: oid.to_owned(), size };
        let answer = r#"{"objects": [
            {"oid": "a", "size": 9999999, "actions": {"download": {"href": "https://h/1"}}},
            {"oid": "a", "size": 3, "actions": {"download": {"href": "https://h/2"}}},
            {"oid": "other", "size": 1, "actions": {"download": {"href": "https://h/3"}}},
            {"oid": "b", "size": 4}
        ]}"#;
        let found: Answer = serde_json::from_str(answer).unwrap();
        let offered = offered(vec![object("a", 3), object("b", 4)], found.objects);
        let offered: Vec<_> =
            offered.iter().map(|(o, action)| (o.oid.as_str(), o.size, action.href.as_str())).collect();
        assert_eq!(offered, [("a", 3, "https://h/1")]);
    }
}
