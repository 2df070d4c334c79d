//! The files of a checkout.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use git2::{AttrCheckFlags, AttrValue, Index, ObjectType, Oid, Repository};
use steading_core::source::Commit;

use super::plan::Part;
use crate::archive::Archive;
use crate::error::GitError;
use crate::tree::MAX_PATH;

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

    /// Takes some of it.
    ///
    /// # Errors
    /// [`GitError::TooLargeUnpacked`] if so much is not left.
    pub fn take(&mut self, size: u64) -> Result<(), GitError> {
        let full = || GitError::TooLargeUnpacked { limit_mib: self.limit_mib };
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
        attributes(&repository, &part.commit).map_err(io::Error::other)?;
    }
    let mut folders = vec![(tree().map_err(io::Error::other)?, part.work.clone().into_bytes())];
    while let Some((id, folder)) = folders.pop() {
        if !folder.is_empty() {
            archive.folder(&folder)?;
        }
        let tree = repository.find_tree(id).map_err(io::Error::other)?;
        let mut seen = BTreeSet::new();
        for entry in &tree {
            let name = entry.name_bytes();
            let path = below(&folder, name);
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
pub(super) fn is_safe(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name.eq_ignore_ascii_case(b".git")
        && !name.iter().any(|b| matches!(b, b'/' | b'\0'))
}

/// A name in a folder; names are bytes, and need not be text.
pub(super) fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_owned() } else { [folder, b"/", name].concat() }
}

fn file(
    archive: &mut Archive,
    repository: &Repository,
    part: &Part,
    path: &[u8],
    blob: Oid,
    mode: i32,
    room: &mut Room,
) -> io::Result<()> {
    let permissions = if mode == EXECUTABLE { 0o755 } else { 0o644 };
    let inner = path.strip_prefix(part.work.as_bytes()).unwrap_or(path);
    let inner = inner.strip_prefix(b"/").unwrap_or(inner);
    // By its path: the same pointer may be a text elsewhere, by its attributes.
    if let Some(large) = std::str::from_utf8(inner).ok().and_then(|inner| part.large.get(inner)) {
        let file = File::open(large)?;
        let size = file.metadata()?.len();
        room.take(size).map_err(io::Error::other)?;
        return archive.copy(path, permissions, size, file);
    }
    let blob = repository.find_blob(blob).map_err(io::Error::other)?;
    room.take(blob.content().len() as u64).map_err(io::Error::other)?;
    if mode == LINK && is_target(blob.content()) {
        return archive.link(path, blob.content());
    }
    if part.crlf
        && mode != LINK
        && wants_crlf(repository, inner)
        && let Some(text) = with_crlf(blob.content())
    {
        return archive.file(path, permissions, &text);
    }
    archive.file(path, permissions, blob.content())
}

/// Has attributes looked up in a commit: without a working copy they are looked for in the index.
pub(super) fn attributes(repository: &Repository, commit: &Commit) -> Result<(), git2::Error> {
    let commit = repository.find_commit(Oid::from_str(commit.as_str())?)?;
    let mut index = Index::new()?;
    index.read_tree(&commit.tree()?)?;
    repository.set_index(&mut index)
}

/// What an attribute of a file says, if anything.
pub(super) fn attribute<'a>(repository: &'a Repository, path: &[u8], name: &str) -> Option<&'a str> {
    repository.get_attr(Path::new(OsStr::from_bytes(path)), name, AttrCheckFlags::INDEX_ONLY).ok().flatten()
}

/// Whether the attributes of a file say `eol=crlf`, and nothing says that it is no text.
fn wants_crlf(repository: &Repository, path: &[u8]) -> bool {
    let text = AttrValue::from_string(attribute(repository, path, "text"));
    attribute(repository, path, "eol") == Some("crlf") && text != AttrValue::False
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

fn is_target(target: &[u8]) -> bool {
    !target.is_empty() && target.len() <= MAX_PATH && !target.contains(&0)
}
