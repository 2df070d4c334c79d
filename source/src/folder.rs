//! The files of a folder on disk, as they come out of a container for a rebuild.

use std::fs;
use std::path::{Path, PathBuf};

use devcontainer::{Entry, Tree};

use crate::tree::MAX_FILE;

/// A folder on disk. Symbolic links that lead out of it are as good as absent.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at a path; `None` if there is none.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        let root = fs::canonicalize(path).ok()?;
        root.is_dir().then_some(Self { root })
    }

    /// Where a path leads on disk, if that is inside.
    pub(crate) fn locate(&self, path: &str) -> Option<PathBuf> {
        let real = fs::canonicalize(self.root.join(path.trim_start_matches('/'))).ok()?;
        real.starts_with(&self.root).then_some(real)
    }
}

impl Tree for Folder {
    fn entries(&self, dir: &str) -> Vec<Entry> {
        let Some(entries) = self.locate(dir).and_then(|path| fs::read_dir(path).ok()) else { return Vec::new() };
        let entry = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
            let is_dir = match entry.file_type().ok()? {
                kind if kind.is_symlink() => self.locate(&path).is_some_and(|real| real.is_dir()),
                kind => kind.is_dir(),
            };
            Some(Entry { name, is_dir })
        };
        entries.flatten().filter_map(entry).collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let real = self.locate(path)?;
        let metadata = fs::metadata(&real).ok()?;
        let fits = usize::try_from(metadata.len()).is_ok_and(|size| size <= MAX_FILE);
        if metadata.is_file() && fits { fs::read(real).ok() } else { None }
    }
}

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
