//! Follows a workspace's story and log until it stands still.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde_json::Value;

use crate::client::{Client, Workspace};
use crate::error::{CliError, Kind};
use crate::output::note;

/// A server that restarts is back after fewer tries than these.
pub const PATIENCE: u32 = 60;
/// Between two tries to reach it.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// People can work in it.
    Running,
    /// Its container is down.
    Stopped,
    /// Nothing of it is left.
    Gone,
}

/// From when on things are printed, by the server's clock.
pub type Since = DateTime<Utc>;

/// Prints phases and output to standard error until the goal is reached, the workspace fails, or somebody
/// wants something else of it. Survives a restart of the server.
pub async fn until(client: &Client, name: &str, goal: Goal, since: Since) -> Result<Option<Workspace>, CliError> {
    let log = tokio::spawn(print_log(client.clone(), name.to_owned(), since));
    let result = wait(client, name, goal, since).await;
    // The last lines of a failure are worth a moment.
    let _ = tokio::time::timeout(Duration::from_millis(300), log).await;
    result
}

async fn wait(client: &Client, name: &str, goal: Goal, since: Since) -> Result<Option<Workspace>, CliError> {
    let mut after = "0".to_owned();
    let mut shown = String::new();
    let mut failures = 0;
    loop {
        match client.events(&format!("/workspaces/{name}/events"), &after, true).await {
            Ok(events) => {
                failures = 0;
                let mut events = std::pin::pin!(events);
                while let Some((id, event)) = events.next().await {
                    after = id;
                    if is_new(&event, since) {
                        say(&event, &mut shown);
                    }
                    if matters(&event)
                        && let Some(end) = look(client, name, goal).await?
                    {
                        return end;
                    }
                }
            }
            Err(error) if error.is_unreachable() && failures < PATIENCE => {
                if failures == 0 {
                    note!("warning: {error} (trying again)");
                }
                failures += 1;
            }
            Err(error) => {
                return match look(client, name, goal).await? {
                    Some(end) => end,
                    None => Err(error),
                };
            }
        }
        if let Some(end) = look(client, name, goal).await? {
            return end;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

type End = Result<Option<Workspace>, CliError>;

/// Whether the workspace stands still, and how.
async fn look(client: &Client, name: &str, goal: Goal) -> Result<Option<End>, CliError> {
    let workspace: Workspace = match client.get(&format!("/workspaces/{name}")).await {
        Ok(workspace) => workspace,
        Err(error) if error.is("workspace-not-found") && goal == Goal::Gone => return Ok(Some(Ok(None))),
        Err(error) if error.is_unreachable() => return Ok(None),
        Err(error) => return Ok(Some(Err(error))),
    };
    let end = match (goal, workspace.phase.as_str(), workspace.desired.as_str()) {
        (Goal::Running, "running", _) | (Goal::Stopped, "stopped", _) => Ok(Some(workspace)),
        (Goal::Running, "failed", _) => Err(failed(&workspace)),
        (Goal::Running, _, "running") | (Goal::Stopped, _, "stopped") | (Goal::Gone, ..) => return Ok(None),
        (_, _, desired) => Err(CliError::new(
            Kind::Server,
            "somebody-else-decided",
            format!("somebody wants the workspace {desired} now"),
        )),
    };
    Ok(Some(end))
}

/// The error for a workspace that failed.
pub fn failed(workspace: &Workspace) -> CliError {
    match &workspace.failure {
        Some(f) => {
            CliError::new(Kind::Server, &f.code, f.message.clone()).hint(f.hint.clone()).output(f.output.clone())
        }
        None => CliError::new(Kind::Server, "failed", "the workspace failed"),
    }
}

/// Whether something happened after the moment that the command is about.
fn is_new(item: &Value, since: Since) -> bool {
    item["at"].as_str().and_then(|at| at.parse::<Since>().ok()).is_none_or(|at| at >= since)
}

fn matters(event: &Value) -> bool {
    matches!(event["event"].as_str(), Some("phase" | "failed" | "wanted"))
}

fn say(event: &Value, shown: &mut String) {
    let detail = &event["detail"];
    let text = |key: &str| detail[key].as_str().unwrap_or_default();
    match event["event"].as_str().unwrap_or_default() {
        "phase" if text("phase") != shown.as_str() => {
            *shown = text("phase").to_owned();
            note!("==> {shown}");
        }
        "resolved" => note!("    {}", text("because")),
        "diagnostic" => {
            note!("{}: {}", text("severity"), text("message"));
            if let Some(hint) = detail["hint"].as_str() {
                note!("  hint: {hint}");
            }
        }
        "retrying" => note!("warning: {} (trying again)", text("message")),
        "warned" => {
            let failure = |key: &str| detail["failure"][key].as_str().unwrap_or_default();
            note!("warning: {} [{}]", failure("message"), failure("code"));
            if let Some(hint) = detail["failure"]["hint"].as_str() {
                note!("  hint: {hint}");
            }
        }
        _ => {}
    }
}

async fn print_log(client: Client, name: String, since: Since) {
    let mut after = "0".to_owned();
    for _ in 0..PATIENCE {
        if let Ok(lines) = client.events(&format!("/workspaces/{name}/logs"), &after, true).await {
            let mut lines = std::pin::pin!(lines);
            while let Some((id, line)) = lines.next().await {
                after = id;
                if is_new(&line, since) {
                    note!("{}", log_line(&line));
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A log line for a terminal.
pub fn log_line(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    format!("[{}] {}", text("stream"), text("text"))
}
