//! Walks what is packed for a build.

use std::io::{self, Read};
use std::path::{Component, Path};

use git2::{ObjectType, Oid, Repository};

use super::ignore::Ignore;
use crate::archive::Archive;
use crate::tree::find;

const EXECUTABLE: i32 = 0o100_755;
const LINK: i32 = 0o120_000;

/// Packs a folder of a commit.
pub(super) fn commit(
    archive: &mut Archive,
    repository: &Repository,
    root: Oid,
    folder: &str,
    ignore: &Ignore,
) -> io::Result<()> {
    let Some((start, ObjectType::Tree)) = find(repository, root, folder) else { return Ok(()) };
    let mut folders = vec![(start, String::new())];
    while let Some((id, folder)) = folders.pop() {
        let tree = repository.find_tree(id).map_err(io::Error::other)?;
        for entry in &tree {
            let Ok(name) = entry.name() else { continue };
            if matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git") || name.contains('/') {
                continue;
            }
            let path = join(&folder, name);
            let excluded = ignore.excludes(&path);
            if entry.kind() == Some(ObjectType::Tree) {
                if !excluded {
                    archive.folder(&path)?;
                }
                if !excluded || !ignore.is_final() {
                    folders.push((entry.id(), path));
                }
            } else if entry.kind() == Some(ObjectType::Blob) && !excluded {
                let blob = repository.find_blob(entry.id()).map_err(io::Error::other)?;
                let link = std::str::from_utf8(blob.content())
                    .ok()
                    .filter(|target| entry.filemode() == LINK && !target.is_empty());
                match link {
                    Some(target) => archive.link(&path, target)?,
                    None => {
                        let mode = if entry.filemode() == EXECUTABLE { 0o755 } else { 0o644 };
                        archive.file(&path, mode, blob.content())?;
                    }
                }
            }
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
