//! Calls of the helper in the container (inside/README.md).

use std::collections::BTreeMap;

use serde_json::Value;
use steading_core::WorkspaceId;
use steading_core::pod::PodSpec;
use steading_core::pod::inside::BINARY;
use steading_core::runtime::{Exec, Process, Result, Runtime};

use crate::output;

/// A hook that was interrupted with its container, so that nobody knows how far it came.
pub(crate) const INTERRUPTED: i64 = 125;
/// A hook that ran into its time limit.
pub(crate) const TIMED_OUT: i64 = 124;

/// Starts a call. The helper is always called as root, who owns its state.
pub(crate) async fn call(runtime: &dyn Runtime, id: WorkspaceId, words: Vec<String>) -> Result<Process> {
    let command = std::iter::once(BINARY.to_owned()).chain(words).collect();
    runtime.exec(id, Exec { command, user: Some("0".to_owned()), ..Exec::default() }).await
}

/// Calls it and reads the JSON that it prints; `None` if it printed something else.
pub(crate) async fn ask(runtime: &dyn Runtime, id: WorkspaceId, words: &[&str]) -> Result<Option<Value>> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let (_, text) = output::collect(call(runtime, id, words).await?).await?;
    Ok(serde_json::from_str(&text).ok())
}

/// The options that start something as people start it: their user, folder and environment.
pub(crate) fn as_people(spec: &PodSpec, folder: &str) -> Vec<String> {
    let mut words = vec!["--user".to_owned(), spec.remote_user.clone(), "--cwd".to_owned(), folder.to_owned()];
    words.extend(["--probe".to_owned(), spec.env_probe.clone()]);
    words.extend(environment(&spec.remote_env));
    words
}

fn environment(env: &BTreeMap<String, Option<String>>) -> impl Iterator<Item = String> {
    env.iter().flat_map(|(name, value)| match value {
        Some(value) => ["--env".to_owned(), format!("{name}={value}")],
        None => ["--unset".to_owned(), name.clone()],
    })
}
