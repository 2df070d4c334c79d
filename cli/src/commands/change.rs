//! `steading stop`, `start`, `rebuild` and `rm`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::args::{ChangeArgs, RebuildArgs, RemoveArgs};
use crate::client::{Client, Failure, Workspace};
use crate::error::{CliError, Kind};
use crate::follow::{Goal, until};
use crate::output::say;

/// Stops a workspace.
pub async fn stop(args: ChangeArgs) -> Result<(), CliError> {
    change(args, "stop", Value::Null, Goal::Stopped).await
}

/// Starts a workspace.
pub async fn start(args: ChangeArgs) -> Result<(), CliError> {
    change(args, "start", Value::Null, Goal::Running).await
}

/// Replaces a workspace's container.
pub async fn rebuild(args: RebuildArgs) -> Result<(), CliError> {
    change(args.change, "rebuild", json!({ "config": args.config }), Goal::Running).await
}

/// A rebuild that failed leaves the workspace running as it was, with a warning. Hooks and extensions warn of
/// themselves, too: those come after it has succeeded.
fn refuse_failed(workspace: &Workspace) -> Result<(), CliError> {
    let is_of_rebuild = |warning: &&Failure| !matches!(warning.step.as_str(), "hooks" | "extensions");
    match workspace.warnings.iter().find(is_of_rebuild) {
        Some(warning) => Err(CliError::new(Kind::Server, &warning.code, warning.message.as_str())
            .hint(warning.hint.clone())
            .output(warning.output.clone())),
        None => Ok(()),
    }
}

async fn change(args: ChangeArgs, verb: &str, wish: Value, goal: Goal) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let changed: Workspace = client.post(&format!("/workspaces/{}/{verb}", args.name), &wish).await?;
    if !args.detach {
        let reached = until(&client, &args.name, goal, changed.updated_at).await?;
        if let Some(workspace) = reached.filter(|_| verb == "rebuild") {
            refuse_failed(&workspace)?;
        }
    }
    if args.client.json {
        let whole: Value = client.get(&format!("/workspaces/{}", args.name)).await?;
        say!("{whole:#}")?;
        return Ok(());
    }
    match goal {
        Goal::Running => say!("{}", changed.url),
        Goal::Stopped | Goal::Gone => say!("{}", changed.slug),
    }
}

/// Deletes workspaces, after asking.
pub async fn remove(args: RemoveArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    for name in &args.names {
        let workspace: Workspace = client.get(&format!("/workspaces/{name}")).await?;
        if !args.yes && !confirmed(&workspace)? {
            told(&args, &workspace, "kept")?;
            continue;
        }
        let deleted = client.delete(&format!("/workspaces/{}", workspace.id)).await?;
        if !args.detach {
            let since = serde_json::from_value::<Workspace>(deleted).map_or(workspace.updated_at, |w| w.updated_at);
            until(&client, &workspace.id, Goal::Gone, since).await?;
        }
        told(&args, &workspace, if args.detach { "deleting" } else { "deleted" })?;
    }
    Ok(())
}

/// One line for each workspace as soon as it is settled; with `--json` an object a line.
fn told(args: &RemoveArgs, workspace: &Workspace, outcome: &str) -> Result<(), CliError> {
    let Workspace { id, slug, .. } = workspace;
    match outcome {
        _ if args.client.json => say!("{}", json!({ "id": id, "slug": slug, "outcome": outcome })),
        "kept" => say!("{slug} was kept"),
        _ => say!("{slug}"),
    }
}

fn confirmed(workspace: &Workspace) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new(Kind::User, "not-confirmed", "deleting needs a yes, and nobody is here to ask")
            .hint("Add --yes.".to_owned()));
    }
    eprint!("Delete {} ({}) with everything that was not pushed? [y/N] ", workspace.slug, workspace.source);
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(CliError::internal)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
