//! Calls of the helper in the container (inside/README.md).

use std::collections::BTreeMap;

use serde_json::Value;
use steading_core::WorkspaceId;
use steading_core::pod::PodSpec;
use steading_core::pod::inside::BINARY;
use steading_core::runtime::{Exec, Process, Result, Runtime};

use crate::output;

/// What the helper is asked. Values of variables travel in the environment, because command lines are
/// public in a container.
#[derive(Clone, Default)]
pub(crate) struct Call {
    words: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Call {
    pub(crate) fn new(words: &[&str]) -> Self {
        Self::default().words(words)
    }

    /// Adds words as they are.
    pub(crate) fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Starts something as people start it: their user, folder and environment.
    pub(crate) fn for_people(self, spec: &PodSpec, folder: &str) -> Self {
        let options = ["--user", &spec.remote_user, "--cwd", folder, "--probe", &spec.env_probe];
        spec.remote_env.iter().fold(self.words(&options), |call, (name, value)| match value {
            Some(value) => call.passing(name, value),
            None => call.words(&["--unset", name]),
        })
    }

    /// Sets a variable for what is started, whatever the user's shell says.
    pub(crate) fn passing(mut self, name: &str, value: &str) -> Self {
        if self.env.insert(name.to_owned(), value.to_owned()).is_none() {
            self = self.words(&["--pass", name]);
        }
        self
    }

    /// Adds the words and variables of another.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.words.extend(other.words);
        self.env.extend(other.env);
        self
    }

    /// The command that is started; nothing may be added behind it.
    pub(crate) fn running(mut self, command: Vec<String>) -> Self {
        self.words.push("--".to_owned());
        self.words.extend(command);
        self
    }
}

/// Starts a call. The helper is always called as root, who owns its state.
pub(crate) async fn call(runtime: &dyn Runtime, id: WorkspaceId, call: Call) -> Result<Process> {
    let command = std::iter::once(BINARY.to_owned()).chain(call.words).collect();
    runtime.exec(id, Exec { command, user: Some("0".to_owned()), env: call.env, ..Exec::default() }).await
}

/// Calls it and reads the JSON that it prints; `None` if it printed something else.
pub(crate) async fn ask(runtime: &dyn Runtime, id: WorkspaceId, words: &[&str]) -> Result<Option<Value>> {
    let (_, text) = output::collect(call(runtime, id, Call::new(words)).await?).await?;
    Ok(serde_json::from_str(&text).ok())
}
