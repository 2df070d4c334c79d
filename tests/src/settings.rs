//! What a world's server is told beside a test's usual settings.

/// Settings of a server. `{git}` in them stands for the git server's `HOST:PORT`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The text of its `steading.toml`.
    pub file: String,
}

impl Settings {
    /// The same with an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
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
    pub(crate) fn at(mut self, git: &str) -> Self {
        for (_, value) in &mut self.env {
            *value = value.replace("{git}", git);
        }
        self.file = self.file.replace("{git}", git);
        self
    }
}
