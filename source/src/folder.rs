//! Files at hand, by their paths.

use devcontainer::{Entry, Tree};

/// A tree that knows contents by path; for decisions about files that are at hand.
#[derive(Debug, Clone, Default)]
pub struct Listed(pub std::collections::BTreeMap<String, Vec<u8>>);

impl Listed {
    /// Empty files at these paths.
    #[must_use]
    pub fn of(paths: &[&str]) -> Self {
        Self(paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect())
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: &str, content: &str) -> Self {
        self.0.insert(path.to_owned(), content.as_bytes().to_vec());
        self
    }
}

impl Tree for Listed {
    fn entries(&self, dir: &str) -> Vec<Entry> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut entries: Vec<Entry> = self
            .0
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Entry { name: name.to_owned(), is_dir: true },
                None => Entry { name: rest.to_owned(), is_dir: false },
            })
            .collect();
        entries.sort();
        entries.dedup();
        entries
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}
