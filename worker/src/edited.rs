//! The configuration as it is in a workspace now, over the commit it came from: what a rebuild reads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use devcontainer::{Entry, Tree};
use futures::StreamExt as _;
use steading_core::runtime::ByteStream;

/// Where configurations are.
pub(crate) const PLACES: [&str; 2] = [".devcontainer", ".devcontainer.json"];
/// Configurations are small; what is larger is something else, and the commit's is used.
const LARGEST: usize = 16 << 20;

/// Files by their paths.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A commit's files, as far as it is within reach, with other ones in the places of configurations.
pub(crate) struct Edited<T> {
    commit: Option<T>,
    files: Files,
}

impl<T: Tree> Edited<T> {
    /// The commit with these files in the places of configurations; `None` if they are the commit's own.
    pub(crate) fn over(commit: Option<T>, files: Files) -> Option<Self> {
        let is_own = |commit: &T| {
            let changed = files.iter().any(|(path, bytes)| commit.read(path).as_ref() != Some(bytes));
            let removed = |place: &&str| committed(commit, place).iter().any(|path| !files.contains_key(path));
            !changed && !PLACES.iter().any(removed)
        };
        (!commit.as_ref().is_some_and(is_own)).then_some(Self { commit, files })
    }

    /// Puts one more file of the workspace in the place of the commit's.
    pub(crate) fn add(&mut self, path: String, content: Vec<u8>) {
        self.files.insert(path, content);
    }
}

fn committed(tree: &impl Tree, path: &str) -> Vec<String> {
    let below = |entry: Entry| {
        let path = format!("{path}/{}", entry.name);
        if entry.is_dir { committed(tree, &path) } else { vec![path] }
    };
    let entries = tree.entries(path);
    if entries.is_empty() && tree.read(path).is_some() {
        return vec![path.to_owned()];
    }
    entries.into_iter().flat_map(below).collect()
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
        let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
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
        let own = self.files.get(path).cloned();
        own.or_else(|| self.commit.as_ref().filter(|_| !is_ours(path))?.read(path))
    }
}

/// The regular files of an archive by their paths; `None` if it is too large or broken.
pub(crate) async fn files(mut archive: ByteStream) -> Option<Files> {
    let mut bytes = Vec::new();
    while let Some(piece) = archive.next().await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() > LARGEST {
            return None;
        }
    }
    let mut files = Files::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.header().entry_type().is_file() {
            let path = entry.path().ok()?.to_str()?.trim_start_matches("./").to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).ok()?;
            files.insert(path, content);
        }
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use devcontainer::discover;
    use steading_source::folder::Listed;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn an_edited_configuration_is_found_in_place_of_the_committed_one() {
        let commit = || Some(Listed(tree(&[(".devcontainer/devcontainer.json", "old"), ("src/a", "a")])));
        let same = tree(&[(".devcontainer/devcontainer.json", "old")]);
        assert!(Edited::over(commit(), same).is_none());
        let other = tree(&[(".devcontainer/x/devcontainer.json", "new")]);
        let edited = Edited::over(commit(), other).unwrap();
        assert_eq!(discover(&edited), [".devcontainer/x/devcontainer.json"]);
        assert_eq!(edited.read(".devcontainer/devcontainer.json"), None);
        assert_eq!(edited.read("src/a").as_deref(), Some(b"a".as_slice()));
        let removed = Edited::over(commit(), BTreeMap::new()).unwrap();
        assert!(discover(&removed).is_empty());
        let mut alone = Edited::<Listed>::over(None, tree(&[(".devcontainer.json", "{}")])).unwrap();
        assert_eq!(discover(&alone), [".devcontainer.json"]);
        alone.add("Dockerfile".to_owned(), b"FROM a".to_vec());
        assert_eq!(alone.read("Dockerfile").as_deref(), Some(b"FROM a".as_slice()));
    }
}
