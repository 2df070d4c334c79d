//! The files of a commit, read from the object database; nothing is written to disk.

use std::sync::{Mutex, PoisonError};

use devcontainer::{Entry, Tree};
use git2::{ObjectType, Oid, Repository};
use steading_core::source::Commit;

use crate::error::GitError;
use crate::git::mirror::Mirror;

/// The longest file that is read as a whole.
pub(crate) const MAX_FILE: usize = 16 << 20;
/// More entries than this are no source code; a few objects can stand for billions of them.
pub(crate) const MAX_ENTRIES: usize = 2_000_000;
/// The longest path that Linux takes.
pub(crate) const MAX_PATH: usize = 4095;
/// How many symbolic links are followed for one path.
const MAX_LINKS: u32 = 16;
const LINK: i32 = 0o120_000;

/// The files of one commit. Symbolic links are followed as long as they stay inside.
pub struct GitTree {
    repository: Mutex<Repository>,
    root: Oid,
}

impl std::fmt::Debug for GitTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GitTree({})", self.root)
    }
}

impl GitTree {
    pub(crate) fn open(mirror: &Mirror, commit: &Commit) -> Result<Self, GitError> {
        let open = || -> Result<Self, git2::Error> {
            let repository = mirror.open()?;
            let root = repository.find_commit(Oid::from_str(commit.as_str())?)?.tree_id();
            Ok(Self { repository: Mutex::new(repository), root })
        };
        open().map_err(|error| GitError::cache(&error))
    }

    /// Looks at the repository and the root of the files.
    pub(crate) fn with_root<T>(&self, look: impl FnOnce(&Repository, Oid) -> T) -> T {
        look(&self.repository.lock().unwrap_or_else(PoisonError::into_inner), self.root)
    }

    fn with<T>(&self, look: impl FnOnce(&Repository) -> Option<T>) -> Option<T> {
        self.with_root(|repository, _| look(repository))
    }
}

impl Tree for GitTree {
    fn entries(&self, dir: &str) -> Vec<Entry> {
        let list = |repository: &Repository| {
            let (id, kind) = find(repository, self.root, dir)?;
            if kind != ObjectType::Tree {
                return None;
            }
            let tree = repository.find_tree(id).ok()?;
            let entries = tree.iter().filter_map(|entry| {
                let name = entry.name().ok()?.to_owned();
                let is_dir = if entry.filemode() == LINK {
                    let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
                    find(repository, self.root, &path).is_some_and(|(_, kind)| kind == ObjectType::Tree)
                } else {
                    entry.kind() == Some(ObjectType::Tree)
                };
                Some(Entry { name, is_dir })
            });
            Some(entries.collect())
        };
        self.with(list).unwrap_or_default()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.with(|repository| {
            let (id, kind) = find(repository, self.root, path)?;
            let (size, _) = repository.odb().ok()?.read_header(id).ok()?;
            if kind != ObjectType::Blob || size > MAX_FILE {
                return None;
            }
            Some(repository.find_blob(id).ok()?.content().to_vec())
        })
    }

    fn id(&self, folder: &str) -> Option<String> {
        self.with(|repository| match find(repository, self.root, folder)? {
            (id, ObjectType::Tree) => Some(id.to_string()),
            _ => None,
        })
    }
}

/// What is at a path, after symbolic links.
pub(crate) fn find(repository: &Repository, root: Oid, path: &str) -> Option<(Oid, ObjectType)> {
    let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    // The trees from the root to where we are.
    let mut trail = vec![root];
    let mut links = 0;
    while let Some(part) = pending.pop() {
        match part.as_str() {
            "" | "." => {}
            ".." => {
                if trail.len() == 1 {
                    return None;
                }
                trail.pop();
            }
            name => {
                let tree = repository.find_tree(*trail.last()?).ok()?;
                let entry = tree.get_name(name)?;
                match entry.kind()? {
                    ObjectType::Tree => trail.push(entry.id()),
                    ObjectType::Blob if entry.filemode() == LINK => {
                        links += 1;
                        // What is called a link may be as large as a disk.
                        if repository.odb().ok()?.read_header(entry.id()).ok()?.0 > MAX_PATH {
                            return None;
                        }
                        let target = repository.find_blob(entry.id()).ok()?;
                        let target = std::str::from_utf8(target.content()).ok()?.to_owned();
                        if links > MAX_LINKS || target.starts_with('/') {
                            return None;
                        }
                        pending.extend(target.split('/').rev().map(str::to_owned));
                    }
                    ObjectType::Blob => {
                        return pending.iter().all(|rest| rest.is_empty()).then(|| (entry.id(), ObjectType::Blob));
                    }
                    _ => return None,
                }
            }
        }
    }
    Some((*trail.last()?, ObjectType::Tree))
}
