//! Finding configurations in the three standard places.

use serde::{Deserialize, Serialize};

/// Something in a folder of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, without a path.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// The files of a repository, wherever they are: on a disk, in a Git object database, in a test.
/// Paths are relative to the root and separated by `/`; the root is the empty string.
pub trait Tree {
    /// What a folder contains; empty for a folder that does not exist.
    fn entries(&self, dir: &str) -> Vec<Entry>;
    /// The content of a file; `None` if there is none or it cannot be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// A name for all that a folder holds, the same wherever that is the same; `None` where there is no
    /// such folder, or no such names.
    fn id(&self, _folder: &str) -> Option<String> {
        None
    }
}

const FOLDER: &str = ".devcontainer";
const FILE: &str = "devcontainer.json";
const DOT_FILE: &str = ".devcontainer.json";

/// The paths of all configurations, in their precedence: `.devcontainer/devcontainer.json`,
/// `.devcontainer.json`, then `.devcontainer/<folder>/devcontainer.json` one level deep with the
/// folders sorted by name.
#[must_use]
pub fn discover(tree: &dyn Tree) -> Vec<String> {
    let has_file = |dir: &str, name: &str| tree.entries(dir).iter().any(|entry| entry.name == name && !entry.is_dir);
    let mut found = Vec::new();
    if has_file(FOLDER, FILE) {
        found.push(format!("{FOLDER}/{FILE}"));
    }
    if has_file("", DOT_FILE) {
        found.push(DOT_FILE.to_owned());
    }
    let mut folders: Vec<Entry> = tree.entries(FOLDER);
    folders.retain(|entry| entry.is_dir);
    folders.sort();
    for folder in folders {
        let path = format!("{FOLDER}/{}", folder.name);
        if has_file(&path, FILE) {
            found.push(format!("{path}/{FILE}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    struct Paths(Vec<&'static str>);

    impl Tree for Paths {
        fn entries(&self, dir: &str) -> Vec<Entry> {
            let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
            let entries: BTreeSet<Entry> = self
                .0
                .iter()
                .filter_map(|path| path.strip_prefix(&prefix))
                .map(|rest| match rest.split_once('/') {
                    Some((name, _)) => Entry { name: name.to_owned(), is_dir: true },
                    None => Entry { name: rest.to_owned(), is_dir: false },
                })
                .collect();
            entries.into_iter().rev().collect()
        }

        fn read(&self, path: &str) -> Option<Vec<u8>> {
            self.0.contains(&path).then(Vec::new)
        }
    }

    #[test]
    fn all_three_places_are_found_in_precedence() {
        let tree = Paths(vec![
            ".devcontainer.json",
            ".devcontainer/python/devcontainer.json",
            ".devcontainer/go/devcontainer.json",
            ".devcontainer/go/deeper/devcontainer.json",
            ".devcontainer/empty/readme.md",
            ".devcontainer/devcontainer.json",
            "src/devcontainer.json",
        ]);
        assert_eq!(
            discover(&tree),
            [
                ".devcontainer/devcontainer.json",
                ".devcontainer.json",
                ".devcontainer/go/devcontainer.json",
                ".devcontainer/python/devcontainer.json"
            ]
        );
    }

    #[test]
    fn a_folder_with_the_name_of_the_file_is_no_configuration() {
        assert!(discover(&Paths(vec![".devcontainer.json/x", ".devcontainer/devcontainer.json/x"])).is_empty());
        assert!(discover(&Paths(vec![])).is_empty());
    }
}
