//! What a world's server is told beside a test's usual settings.

use std::path::{Path, PathBuf};

use crate::git::{GitServer, PASSWORD};

/// Settings of a server. `{git}` in them stands for the git server's `HOST:PORT`, `{bridge}` for the same as
/// workspaces reach it, and `{password}` for what opens its private repositories.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The text of its `steading.toml`.
    pub file: String,
    /// The folder that its data folder is made in; the system's for temporary files if absent.
    pub below: Option<PathBuf>,
}

impl Settings {
    /// The same with an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a data folder elsewhere.
    #[must_use]
    pub fn below(mut self, folder: &Path) -> Self {
        self.below = Some(folder.to_owned());
        self
    }

    /// The same with lines of TOML.
    #[must_use]
    pub fn file(mut self, text: &str) -> Self {
        self.file.push_str(text);
        self
    }

    /// The same with the git server filled in.
    #[must_use]
    pub(crate) fn at(mut self, git: &GitServer) -> Self {
        for text in self.env.iter_mut().map(|(_, value)| value).chain([&mut self.file]) {
            *text = text.replace("{git}", git.host()).replace("{bridge}", git.bridge()).replace("{password}", PASSWORD);
        }
        self
    }
}
