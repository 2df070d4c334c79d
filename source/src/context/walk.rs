//! Walks what is packed for a build.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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

/// Packs a folder on disk. Symbolic links are packed as such; sockets and the like are left out.
pub(super) fn disk(archive: &mut Archive, root: &Path, ignore: &Ignore) -> io::Result<()> {
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(root.join(&folder))?.collect::<io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = join(&folder, &name);
            let excluded = ignore.excludes(&path);
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !excluded {
                    archive.folder(&path)?;
                }
                if name != ".git" && (!excluded || !ignore.is_final()) {
                    folders.push(path);
                }
            } else if excluded {
            } else if kind.is_symlink() {
                if let Some(target) = fs::read_link(entry.path())?.to_str() {
                    archive.link(&path, target)?;
                }
            } else if kind.is_file() {
                let file = File::open(entry.path())?;
                let metadata = file.metadata()?;
                let mode = if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
                archive.copy(&path, mode, metadata.len(), file)?;
            }
        }
    }
    Ok(())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
