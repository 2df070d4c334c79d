//! Which programs listen inside a workspace, asked of the helper in it.

use std::time::Duration;

use futures::StreamExt as _;
use serde::Deserialize;
use steading_core::runtime::{Chunk, Exec};
use steading_core::{Phase, Workspace, report};

use crate::app::App;

const PATIENCE: Duration = Duration::from_secs(3);

/// A program that listens on a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// The program, where it may be known.
    #[serde(default)]
    pub process: Option<Program>,
}

/// A program inside a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
}

/// Who listens now. A workspace that is not running, or does not answer in time, has nobody.
pub async fn ports(app: &App, workspace: &Workspace) -> Vec<Listener> {
    // While a rebuild is on its way people are still in the container before it.
    let is_in_use = workspace.phase == Phase::Running || (workspace.spec.is_none() && workspace.facts.last.is_some());
    if !is_in_use {
        return Vec::new();
    }
    let exec = Exec {
        command: vec!["/opt/steading/bin/inside".to_owned(), "ports".to_owned()],
        user: Some("0".to_owned()),
        ..Exec::default()
    };
    let ask = async {
        let mut process = app.runtime.exec(workspace.id, exec).await?;
        let mut text = Vec::new();
        while let Some(Ok(chunk)) = process.output.next().await {
            if let Chunk::Stdout(bytes) = chunk {
                text.extend_from_slice(&bytes);
            }
        }
        Ok::<_, steading_core::runtime::RuntimeError>(text)
    };
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(text)) => parse(&String::from_utf8_lossy(&text)),
        Ok(Err(error)) => {
            tracing::warn!(workspace.id = %workspace.id, error = %report::chain(&error), "ports cannot be listed");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

fn parse(lines: &str) -> Vec<Listener> {
    let mut found: Vec<Listener> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    found.sort_by_key(|l| l.port);
    found.dedup_by_key(|l| l.port);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_both_address_families_is_one() {
        let found = parse(
            "{\"port\":3000,\"address\":\"127.0.0.1\",\"process\":{\"pid\":42,\"name\":\"node\"}}\nnoise\n{\"port\":3000,\"address\":\"::1\"}\n",
        );
        assert_eq!(found, [Listener { port: 3000, process: Some(Program { name: "node".to_owned() }) }]);
    }
}
