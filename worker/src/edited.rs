//! The configuration as it is in a workspace now, over the commit it came from: what a rebuild reads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use devcontainer::{Entry, Tree};

/// Where configurations are.
pub(crate) const PLACES: [&str; 2] = [".devcontainer", ".devcontainer.json"];
/// What is larger is no configuration, whatever else it is.
const SMALL: u64 = 1 << 20;
/// So much of it is read in all.
const READ: u64 = 16 << 20;
/// With more bytes or entries in them, these are no places of configurations.
const MOST: u64 = 1 << 30;
const MANY: usize = 20_000;

/// Files by their paths.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a workspace has in the places of configurations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    files: Files,
    /// Files that are too large to be read, which count as the commit's own.
    large: BTreeSet<String>,
    /// How much was passed over or read so far.
    bytes: u64,
    entries: usize,
}

/// Why what is in the places of configurations is not taken as one.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is far more than any configuration.
    TooLarge,
    /// The archive of it broke off.
    Broken(io::Error),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// A symbolic link, by the path where it is met, and the one from which it leads on.
pub(crate) struct Link {
    pub(crate) at: String,
    pub(crate) from: String,
    pub(crate) target: String,
}

/// A commit's files, as far as it is within reach, with other ones in the places of configurations.
pub(crate) struct Edited<T> {
    commit: Option<T>,
    found: Found,
}

impl<T: Tree> Edited<T> {
    /// The commit with what was found in the places of configurations; `None` if that is the commit's own.
    pub(crate) fn over(commit: Option<T>, found: Found) -> Option<Self> {
        let is_own = |commit: &T| {
            let changed = found.files.iter().any(|(path, bytes)| commit.read(path).as_ref() != Some(bytes));
            let removed = |path: &String| !found.has(path) && commit.read(path).is_some();
            !changed && !committed(commit).iter().any(removed)
        };
        (!commit.as_ref().is_some_and(is_own)).then_some(Self { commit, found })
    }

    /// Puts one more file of the workspace in the place of the commit's.
    pub(crate) fn add(&mut self, path: String, content: Vec<u8>) {
        self.found.files.insert(path, content);
    }
}

/// The files of a commit in the places of configurations. Links may lead round in circles.
fn committed(tree: &impl Tree) -> Vec<String> {
    let mut files = Vec::new();
    let mut places: Vec<String> = PLACES.iter().rev().map(|place| (*place).to_owned()).collect();
    let mut met = 0;
    while let Some(path) = places.pop() {
        met += 1;
        if met > MANY {
            break;
        }
        let entries = tree.entries(&path);
        if entries.is_empty() {
            files.push(path);
        } else {
            places.extend(entries.into_iter().map(|entry| format!("{path}/{}", entry.name)));
        }
    }
    files
}

fn is_ours(path: &str) -> bool {
    PLACES.iter().any(|place| path == *place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
}

impl<T: Tree> Tree for Edited<T> {
    fn entries(&self, dir: &str) -> Vec<Entry> {
        let commit = self.commit.as_ref().filter(|_| !is_ours(dir));
        let mut all = commit.map(|commit| commit.entries(dir)).unwrap_or_default();
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        all.retain(|entry| !is_ours(&format!("{prefix}{}", entry.name)));
        let known = self.found.files.keys().chain(&self.found.large);
        let below = known.filter_map(|path| path.strip_prefix(&prefix));
        let names: BTreeSet<(String, bool)> = below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => (name.to_owned(), true),
                None => (rest.to_owned(), false),
            })
            .collect();
        all.retain(|entry| !names.iter().any(|(name, _)| *name == entry.name));
        all.extend(names.into_iter().map(|(name, is_dir)| Entry { name, is_dir }));
        all
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let own = self.found.files.get(path).cloned();
        let is_commits = !is_ours(path) || self.found.large.contains(path);
        own.or_else(|| self.commit.as_ref().filter(|_| is_commits)?.read(path))
    }
}

impl Found {
    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.large.is_empty()
    }

    fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.large.contains(path)
    }

    /// Takes in what an engine packed of the path `from`, as what is at `at`: what is small, and has a name
    /// that configurations can say. Symbolic links are given back, to be followed.
    pub(crate) fn unpack(&mut self, archive: impl Read, at: &str, from: &str) -> Result<Vec<Link>, Unfit> {
        let mut links = Vec::new();
        let mut left = READ.saturating_sub(self.files.values().map(|content| content.len() as u64).sum());
        for entry in tar::Archive::new(archive).entries()? {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            self.entries += 1;
            self.bytes = self.bytes.saturating_add(entry.size());
            if self.entries > MANY || self.bytes > MOST {
                return Err(Unfit::TooLarge);
            }
            let Some(name) = entry.path().ok().and_then(|path| below(&path)) else { continue };
            let path = join(at, &name);
            if kind.is_symlink() {
                let target = entry.link_name()?.and_then(|target| Some(target.to_str()?.to_owned()));
                links.extend(target.map(|target| Link { at: path, from: join(from, &name), target }));
            } else if kind.is_hard_link() {
                let other = entry.link_name()?.and_then(|target| below(&target));
                if let Some(content) = other.and_then(|other| self.files.get(&join(at, &other)).cloned()) {
                    self.files.insert(path, content);
                }
            } else if kind.is_file() && entry.size() <= SMALL.min(left) {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                left -= content.len() as u64;
                self.files.insert(path, content);
            } else if kind.is_file() {
                self.large.insert(path);
            }
        }
        Ok(links)
    }
}

/// A path of an archive below the first folder in it, which is what was packed; `None` if it has no name
/// in UTF-8.
fn below(path: &Path) -> Option<String> {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    let below: PathBuf = parts.skip(1).collect();
    Some(below.to_str()?.to_owned())
}

fn join(folder: &str, below: &str) -> String {
    if below.is_empty() { folder.to_owned() } else { format!("{folder}/{below}") }
}

/// Where a symbolic link leads, from the root of the repository; `None` if that is outside.
pub(crate) fn leads(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use devcontainer::discover;
    use steading_source::folder::Listed;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn found(files: &[(&str, &str)]) -> Found {
        Found { files: tree(files), ..Found::default() }
    }

    #[test]
    fn an_edited_configuration_is_found_in_place_of_the_committed_one() {
        let commit = || Some(Listed(tree(&[(".devcontainer/devcontainer.json", "old"), ("src/a", "a")])));
        let same = found(&[(".devcontainer/devcontainer.json", "old")]);
        assert!(Edited::over(commit(), same).is_none());
        let other = found(&[(".devcontainer/x/devcontainer.json", "new")]);
        let edited = Edited::over(commit(), other).unwrap();
        assert_eq!(discover(&edited), [".devcontainer/x/devcontainer.json"]);
        assert_eq!(edited.read(".devcontainer/devcontainer.json"), None);
        assert_eq!(edited.read("src/a").as_deref(), Some(b"a".as_slice()));
        let removed = Edited::over(commit(), Found::default()).unwrap();
        assert!(discover(&removed).is_empty());
        let mut alone = Edited::<Listed>::over(None, found(&[(".devcontainer.json", "{}")])).unwrap();
        assert_eq!(discover(&alone), [".devcontainer.json"]);
        alone.add("Dockerfile".to_owned(), b"FROM a".to_vec());
        assert_eq!(alone.read("Dockerfile").as_deref(), Some(b"FROM a".as_slice()));
    }
    #[test]
    fn links_lead_on_within_the_repository() {
        assert_eq!(leads(".devcontainer.json", "conf/dev.json").as_deref(), Some("conf/dev.json"));
        assert_eq!(leads(".devcontainer/a/x", "../../conf/./x").as_deref(), Some("conf/x"));
        for target in ["/etc/passwd", "../../x", "..", "../.."] {
            assert_eq!(leads(".devcontainer/x", target), None, "{target}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_passed_over() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |kind: tar::EntryType, path: &[u8], content: &[u8], target: Option<&str>| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.as_old_mut().name[..path.len()].copy_from_slice(path);
            if let Some(target) = target {
                header.set_link_name(target).unwrap();
            }
            header.set_cksum();
            builder.append(&header, content).unwrap();
        };
        let large = vec![0; usize::try_from(SMALL).unwrap() + 1];
        add(tar::EntryType::Directory, b"conf/", b"", None);
        add(tar::EntryType::Regular, b"conf/model.bin", &large, None);
        add(tar::EntryType::Regular, b"conf/caf\xe9", b"x", None);
        add(tar::EntryType::Regular, b"conf/devcontainer.json", b"{}", None);
        add(tar::EntryType::Link, b"conf/same", b"", Some("conf/devcontainer.json"));
        add(tar::EntryType::Symlink, b"conf/a/Dockerfile", b"", Some("../../docker/Dev"));
        let packed = builder.into_inner().unwrap();
        let mut found = Found::default();
        let links = found.unpack(packed.as_slice(), ".devcontainer", "conf").unwrap();
        let links: Vec<_> = links.iter().map(|link| (link.at.as_str(), leads(&link.from, &link.target))).collect();
        assert_eq!(links, [(".devcontainer/a/Dockerfile", Some("docker/Dev".to_owned()))]);
        assert_eq!(found.files, tree(&[(".devcontainer/devcontainer.json", "{}"), (".devcontainer/same", "{}")]));
        let mut many = Found { entries: MANY, ..Found::default() };
        assert!(matches!(many.unpack(packed.as_slice(), ".devcontainer", "conf"), Err(Unfit::TooLarge)));
        // It counts as the commit's own, and is read there.
        let mut commit = found.files.clone();
        commit.insert(".devcontainer/model.bin".to_owned(), b"committed".to_vec());
        assert!(Edited::over(Some(Listed(commit.clone())), found.clone()).is_none());
        found.files.insert(".devcontainer/devcontainer.json".to_owned(), b"[]".to_vec());
        let edited = Edited::over(Some(Listed(commit)), found).unwrap();
        assert_eq!(edited.read(".devcontainer/model.bin").as_deref(), Some(b"committed".as_slice()));
        assert!(edited.entries(".devcontainer").iter().any(|entry| entry.name == "model.bin"));
    }
}
