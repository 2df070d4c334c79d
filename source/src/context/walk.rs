//! Walks what is packed for a build.

use std::io::{self, Read};
use std::path::{Component, Path};

use git2::{ObjectType, Oid, Repository, Tree};

use super::ignore::Ignore;
use crate::archive::Archive;
use crate::error::GitError;
use crate::report::Reporter;
use crate::tree::{MAX_ENTRIES, MAX_PATH, find};

const EXECUTABLE: i32 = 0o100_755;
const LINK: i32 = 0o120_000;
/// So often rules are tried on paths; that takes up to a minute.
const MAX_TRIES: usize = 200_000_000;

/// Something in a folder of a commit.
#[derive(Debug)]
struct Found {
    path: String,
    kind: Kind,
    id: Oid,
    /// The rules leave it out, and still something below it may be wanted.
    is_excluded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File { mode: u32 },
    Link,
}

/// A folder to look into, and the last rule that matches it.
struct Folder<T> {
    tree: T,
    path: String,
    last: Option<usize>,
}

/// Everything in a folder of a commit that has to be looked at; one at a time, because a few objects can
/// stand for billions.
struct Walk<'a> {
    repository: &'a Repository,
    ignore: &'a Ignore,
    here: Option<(Folder<Tree<'a>>, usize)>,
    rest: Vec<Folder<Oid>>,
}

impl<'a> Walk<'a> {
    fn new(repository: &'a Repository, root: Oid, folder: &str, ignore: &'a Ignore) -> Self {
        let start = find(repository, root, folder).filter(|(_, kind)| *kind == ObjectType::Tree);
        let start = start.map(|(tree, _)| Folder { tree, path: String::new(), last: None });
        Self { repository, ignore, here: None, rest: start.into_iter().collect() }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Found, git2::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((folder, at)) = &mut self.here else {
                let Folder { tree, path, last } = self.rest.pop()?;
                match self.repository.find_tree(tree) {
                    Ok(tree) => self.here = Some((Folder { tree, path, last }, 0)),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            let Some(entry) = folder.tree.get(*at) else {
                self.here = None;
                continue;
            };
            *at += 1;
            let Ok(name) = entry.name() else { continue };
            if matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git") || name.contains('/') {
                continue;
            }
            let path = join(&folder.path, name);
            if path.len() > MAX_PATH {
                continue;
            }
            let last = self.ignore.last(&path, folder.last);
            let is_excluded = self.ignore.leaves_out(last);
            let kind = match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) => Kind::Folder,
                (Some(ObjectType::Blob), LINK) => Kind::Link,
                (Some(ObjectType::Blob), EXECUTABLE) => Kind::File { mode: 0o755 },
                (Some(ObjectType::Blob), _) => Kind::File { mode: 0o644 },
                _ => continue,
            };
            if kind == Kind::Folder && !(is_excluded && self.ignore.is_final()) {
                self.rest.push(Folder { tree: entry.id(), path: path.clone(), last });
            }
            return Some(Ok(Found { path, kind, id: entry.id(), is_excluded }));
        }
    }
}

/// Finds out whether a folder of a commit may be packed, before anything of it is read.
pub(super) fn survey(
    repository: &Repository,
    root: Oid,
    folder: &str,
    ignore: &Ignore,
    limit_mib: u64,
    reporter: &Reporter,
) -> Result<(), GitError> {
    let cache = |error: git2::Error| GitError::cache(&error);
    let odb = repository.odb().map_err(cache)?;
    let most = MAX_ENTRIES.min(MAX_TRIES / ignore.len().max(1));
    let mut left = limit_mib.saturating_mul(1 << 20);
    for (number, found) in Walk::new(repository, root, folder, ignore).enumerate() {
        let found = found.map_err(cache)?;
        if number >= most {
            return Err(GitError::ContextTooMany { limit: most });
        }
        if reporter.is_cancelled() {
            return Err(GitError::Cancelled);
        }
        if found.kind != Kind::Folder && !found.is_excluded {
            let (size, _) = odb.read_header(found.id).map_err(cache)?;
            left = left.checked_sub(size as u64).ok_or(GitError::ContextTooLarge { limit_mib })?;
        }
    }
    Ok(())
}

/// Packs a folder of a commit that was surveyed.
pub(super) fn commit(
    archive: &mut Archive,
    repository: &Repository,
    root: Oid,
    folder: &str,
    ignore: &Ignore,
) -> io::Result<()> {
    for found in Walk::new(repository, root, folder, ignore) {
        let Found { path, kind, id, is_excluded } = found.map_err(io::Error::other)?;
        if is_excluded {
            continue;
        }
        if kind == Kind::Folder {
            archive.folder(&path)?;
            continue;
        }
        let blob = repository.find_blob(id).map_err(io::Error::other)?;
        let content = blob.content();
        match kind {
            Kind::File { mode } => archive.file(&path, mode, content)?,
            _ if content.is_empty() || content.len() > MAX_PATH => archive.file(&path, 0o644, content)?,
            _ => match std::str::from_utf8(content) {
                Ok(target) => archive.link(&path, target)?,
                Err(_) => archive.file(&path, 0o644, content)?,
            },
        }
    }
    Ok(())
}

/// Packs again what an engine packed. Symbolic links are packed as such; devices and the like are left out,
/// and so is `.git`.
pub(super) fn packed(archive: &mut Archive, from: impl Read, ignore: &Ignore, limit_mib: u64) -> io::Result<()> {
    let mut left = limit_mib.saturating_mul(1 << 20);
    for (number, entry) in tar::Archive::new(from).entries()?.enumerate() {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if number == 0 && !kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "the build context is not a folder"));
        }
        let Some(path) = below(&entry.path()?) else { continue };
        if ignore.excludes(&path) {
            continue;
        }
        if kind.is_dir() {
            archive.folder(&path)?;
        } else if kind.is_symlink() {
            if let Some(target) = entry.link_name()?.as_deref().and_then(Path::to_str) {
                archive.link(&path, target)?;
            }
        } else if kind.is_hard_link() {
            let target = entry.link_name()?.as_deref().and_then(below);
            if let Some(target) = target.filter(|target| !ignore.excludes(target)) {
                archive.same(&path, &target)?;
            }
        } else if kind.is_file() {
            let size = entry.size();
            left = left.checked_sub(size).ok_or_else(|| too_large(limit_mib))?;
            let mode = if entry.header().mode()? & 0o111 == 0 { 0o644 } else { 0o755 };
            archive.copy(&path, mode, size, &mut entry)?;
        }
    }
    Ok(())
}

fn too_large(limit_mib: u64) -> io::Error {
    io::Error::other(format!(
        "it is larger than {limit_mib} MiB (source.max_mib); name what the build does not need in .dockerignore"
    ))
}

/// The path without its first component, which is the folder's own name; `None` for what stays out.
fn below(path: &Path) -> Option<String> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    parts.next()?;
    let names = parts.map(|part| match part {
        Component::Normal(name) if name != ".git" => name.to_str(),
        _ => None,
    });
    let path = names.collect::<Option<Vec<_>>>()?.join("/");
    (!path.is_empty()).then_some(path)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
