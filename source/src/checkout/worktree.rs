//! The files of a checkout.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use git2::{AttrCheckFlags, AttrValue, Index, ObjectType, Oid, Repository};

use super::plan::{Part, inside};
use crate::archive::Archive;
use crate::error::GitError;

/// The longest path that Linux takes.
const MAX_PATH: usize = 4095;
const EXECUTABLE: i32 = 0o100_755;
const LINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;

/// How much may still be written: a few objects can stand for more files than any disk takes.
pub(super) struct Room {
    left: u64,
    limit_mib: u64,
}

impl Room {
    /// Room for so many MiB.
    pub fn new(limit_mib: u64) -> Self {
        Self { left: limit_mib.saturating_mul(1 << 20), limit_mib }
    }

    fn take(&mut self, size: u64) -> io::Result<()> {
        let full = || io::Error::other(GitError::TooLarge { limit_mib: self.limit_mib });
        self.left = self.left.checked_sub(size).ok_or_else(full)?;
        Ok(())
    }
}

/// Writes the files of one repository.
pub(super) fn write(archive: &mut Archive, part: &Part, room: &mut Room) -> io::Result<()> {
    let repository = part.mirror.open().map_err(io::Error::other)?;
    let tree =
        || -> Result<Oid, git2::Error> { Ok(repository.find_commit(Oid::from_str(part.commit.as_str())?)?.tree_id()) };
    if part.crlf {
        // Without a working copy, attributes are looked up in the index.
        attributes(&repository, part).map_err(io::Error::other)?;
    }
    let mut folders = vec![(tree().map_err(io::Error::other)?, part.work.clone())];
    while let Some((id, folder)) = folders.pop() {
        if !folder.is_empty() {
            archive.folder(&folder)?;
        }
        let tree = repository.find_tree(id).map_err(io::Error::other)?;
        let mut seen = BTreeSet::new();
        for entry in &tree {
            let Ok(name) = entry.name() else { continue };
            let path = inside(&folder, name);
            // A tree that was made by hand may hold names that lead elsewhere.
            if !is_safe(name) || !seen.insert(name.to_owned()) || path.len() > MAX_PATH {
                continue;
            }
            match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) => folders.push((entry.id(), path)),
                (_, SUBMODULE) => archive.folder(&path)?,
                (Some(ObjectType::Blob), mode) => file(archive, &repository, part, &path, entry.id(), mode, room)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a name stays where it is put.
pub(super) fn is_safe(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.eq_ignore_ascii_case(".git") && !name.contains(['/', '\0'])
}

fn file(
    archive: &mut Archive,
    repository: &Repository,
    part: &Part,
    path: &str,
    blob: Oid,
    mode: i32,
    room: &mut Room,
) -> io::Result<()> {
    let permissions = if mode == EXECUTABLE { 0o755 } else { 0o644 };
    if let Some(large) = part.large.get(&blob) {
        let file = File::open(large)?;
        let size = file.metadata()?.len();
        room.take(size)?;
        return archive.copy(path, permissions, size, file);
    }
    let blob = repository.find_blob(blob).map_err(io::Error::other)?;
    room.take(blob.content().len() as u64)?;
    if mode == LINK
        && let Some(target) = std::str::from_utf8(blob.content()).ok().filter(|target| is_target(target))
    {
        return archive.link(path, target);
    }
    let inner = path.strip_prefix(&part.work).unwrap_or(path).trim_start_matches('/');
    if part.crlf
        && mode != LINK
        && wants_crlf(repository, inner)
        && let Some(text) = with_crlf(blob.content())
    {
        return archive.file(path, permissions, &text);
    }
    archive.file(path, permissions, blob.content())
}

fn attributes(repository: &Repository, part: &Part) -> Result<(), git2::Error> {
    let commit = repository.find_commit(Oid::from_str(part.commit.as_str())?)?;
    let mut index = Index::new()?;
    index.read_tree(&commit.tree()?)?;
    repository.set_index(&mut index)
}

/// Whether the attributes of a file say `eol=crlf`, and nothing says that it is no text.
fn wants_crlf(repository: &Repository, path: &str) -> bool {
    let attribute = |name| repository.get_attr(Path::new(path), name, AttrCheckFlags::INDEX_ONLY).ok().flatten();
    attribute("eol") == Some("crlf") && AttrValue::from_string(attribute("text")) != AttrValue::False
}

/// A text with the line ends of Windows; `None` for what is no text or has them already.
fn with_crlf(content: &[u8]) -> Option<Vec<u8>> {
    if content.contains(&0) || content.contains(&b'\r') {
        return None;
    }
    let mut out = Vec::with_capacity(content.len() + content.len() / 16);
    for byte in content {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    Some(out)
}

fn is_target(target: &str) -> bool {
    !target.is_empty() && target.len() <= MAX_PATH && !target.contains('\0')
}
