//! What a commit holds that has to be fetched from elsewhere: submodules and large files.

use git2::{ObjectType, Oid, Repository};
use steading_core::source::Commit;

use super::modules::{self, Module};
use super::worktree::{self, below, is_safe};
use crate::error::GitError;
use crate::git::mirror::Mirror;
use crate::tree::{MAX_ENTRIES, MAX_PATH, find};

/// The longest text that can be a pointer to a large file.
const MAX_POINTER: usize = 1024;
const SUBMODULE: i32 = 0o160_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Submodules and the commits they are at.
    pub modules: Vec<(Module, Commit)>,
    /// Folders of submodules that `.gitmodules` says nothing usable about.
    pub unknown: Vec<String>,
    /// What its files take in bytes, with pointers in place of large ones.
    pub bytes: u64,
    /// Whether some files are to have the line ends of Windows.
    pub crlf: bool,
    /// Whether some files may be kept as pointers to large ones.
    pub has_lfs: bool,
    /// Pointers to large files.
    pub pointers: Vec<Pointer>,
    /// Where `.lfsconfig` says that large files are.
    pub lfs_url: Option<String>,
}

/// A small file that stands for a large one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Its path in the repository.
    pub path: String,
    /// SHA-256 of the large file.
    pub oid: String,
    /// Its size.
    pub size: u64,
}

/// Walks a commit.
pub(super) fn survey(mirror: &Mirror, commit: &Commit) -> Result<Survey, GitError> {
    let cache = |error: git2::Error| GitError::cache(&error);
    let repository = mirror.open().map_err(cache)?;
    let id = Oid::from_str(commit.as_str()).map_err(cache)?;
    let root = repository.find_commit(id).map_err(cache)?.tree_id();
    let known = text(&repository, root, ".gitmodules").map(|text| modules::parse(&text)).unwrap_or_default();
    let mut survey = Survey { lfs_url: lfs_url(&repository, root), ..Survey::default() };
    let odb = repository.odb().map_err(cache)?;
    let mut small = Vec::new();
    let mut entries = 0;
    let mut folders = vec![(root, Vec::new())];
    while let Some((id, folder)) = folders.pop() {
        let tree = repository.find_tree(id).map_err(cache)?;
        entries += tree.len();
        if entries > MAX_ENTRIES {
            return Err(GitError::TooMany { limit: MAX_ENTRIES });
        }
        let mut before: Option<Vec<u8>> = None;
        for entry in &tree {
            let name = entry.name_bytes();
            let path = below(&folder, name);
            let text = || String::from_utf8_lossy(&path).into_owned();
            if !is_safe(name) || before.as_deref() == Some(name) {
                return Err(GitError::UnsafePath(text()));
            }
            before = Some(name.to_owned());
            if path.len() > MAX_PATH {
                // It is not written either, and what lies below it would be walked for ever.
                continue;
            }
            match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) => folders.push((entry.id(), path)),
                (_, SUBMODULE) => match known.iter().find(|module| module.path.as_bytes() == path) {
                    Some(module) => {
                        if let Ok(commit) = entry.id().to_string().parse() {
                            survey.modules.push((module.clone(), commit));
                        }
                    }
                    None => survey.unknown.push(text()),
                },
                (Some(ObjectType::Blob), mode) => {
                    // Only the header is read: a few objects can stand for more than any disk takes.
                    let (size, _) = odb.read_header(entry.id()).map_err(cache)?;
                    survey.bytes = survey.bytes.saturating_add(size as u64);
                    if name == b".gitattributes" {
                        let attributes = blob_text(&repository, entry.id()).unwrap_or_default();
                        survey.has_lfs |= attributes.contains("filter=lfs");
                        survey.crlf |= attributes.contains("eol=crlf");
                    } else if matches!(mode, 0o100_644 | 0o100_755) && size <= MAX_POINTER {
                        small.push((entry.id(), text()));
                    }
                }
                _ => {}
            }
        }
    }
    if survey.has_lfs {
        // Without a working copy, attributes are looked up in the index.
        worktree::attributes(&repository, commit).map_err(cache)?;
        // A text like a pointer that is none by its attributes stays what it is.
        let is_large =
            |found: &Pointer| worktree::attribute(&repository, found.path.as_bytes(), "filter") == Some("lfs");
        let found = small.into_iter().filter_map(|(blob, path)| pointer(&repository, blob, path));
        survey.pointers = found.filter(is_large).collect();
    }
    survey.modules.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    Ok(survey)
}

fn text(repository: &Repository, root: Oid, path: &str) -> Option<String> {
    let (id, kind) = find(repository, root, path)?;
    blob_text(repository, id).filter(|_| kind == ObjectType::Blob)
}

fn blob_text(repository: &Repository, id: Oid) -> Option<String> {
    if repository.odb().ok()?.read_header(id).ok()?.0 > 1 << 20 {
        return None;
    }
    String::from_utf8(repository.find_blob(id).ok()?.content().to_vec()).ok()
}

fn lfs_url(repository: &Repository, root: Oid) -> Option<String> {
    let text = text(repository, root, ".lfsconfig")?;
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.to_ascii_lowercase();
        } else if let Some(("url", url)) = line.split_once('=').map(|(k, v)| (k.trim(), v.trim()))
            && section == "[lfs]"
        {
            return Some(url.trim_matches('"').to_owned());
        }
    }
    None
}

/// The pointer in a small blob, if it is one.
fn pointer(repository: &Repository, blob: Oid, path: String) -> Option<Pointer> {
    let (oid, size) = parse_pointer(std::str::from_utf8(repository.find_blob(blob).ok()?.content()).ok()?)?;
    Some(Pointer { path, oid, size })
}

/// The SHA-256 and the size in a pointer.
fn parse_pointer(text: &str) -> Option<(String, u64)> {
    let mut lines = text.lines();
    let version = lines.next()?.strip_prefix("version ")?;
    if version != "https://git-lfs.github.com/spec/v1" && version != "https://hawser.github.com/spec/v1" {
        return None;
    }
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
    let field = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    let oid = field("oid")?.strip_prefix("sha256:")?;
    let is_hash = oid.len() == 64 && oid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then_some((oid.to_owned(), field("size")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_known_by_its_first_line() {
        let oid = "a".repeat(64);
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12\n");
        assert_eq!(parse_pointer(&text), Some((oid.clone(), 12)));
        assert_eq!(parse_pointer(&text.replace("v1", "v9")), None);
        assert_eq!(parse_pointer(&text.replace(&oid, "../../etc")), None);
        assert_eq!(parse_pointer("hello"), None);
    }
}
