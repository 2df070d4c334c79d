//! `steading up` and `steading resolve`.

use serde_json::{Value, json};

use crate::args::{SourceArgs, UpArgs};
use crate::browser;
use crate::client::{Client, Workspace};
use crate::error::CliError;
use crate::follow::{Goal, until};
use crate::output::{note, say};

/// Makes a workspace and waits for it.
pub async fn run(args: UpArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.source.client)?;
    let made: Workspace = client.post_once("/workspaces", &body(&args.source)).await?;
    note!("{} from {}", made.slug, made.source);
    let workspace =
        if args.detach { Some(made) } else { until(&client, &made.id, Goal::Running, made.created_at).await? };
    let Some(workspace) = workspace else { return Ok(()) };
    if args.source.client.json {
        let whole: Value = client.get(&format!("/workspaces/{}", workspace.id)).await?;
        say!("{whole:#}")?;
    } else {
        say!("{}", workspace.url)?;
    }
    if args.open && !browser::open(&workspace.url) {
        note!("No browser was found here; open the address above.");
    }
    Ok(())
}

/// Says what a source would become.
pub async fn resolve(args: SourceArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let resolution: Value = client.post("/resolve", &body(&args)).await?;
    if args.client.json {
        say!("{resolution:#}")?;
        return Ok(());
    }
    let text = |key: &str| resolution[key].as_str().map(str::to_owned);
    say!("{}", text("because").unwrap_or_default())?;
    for key in ["kind", "commit", "branch", "path", "config", "template", "image", "dockerfile", "config_hash"] {
        if let Some(value) = text(key) {
            say!("{key:<12}{value}")?;
        }
    }
    for choice in resolution["choices"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say!("choice      {choice}")?;
    }
    for d in resolution["diagnostics"].as_array().into_iter().flatten() {
        let text = |key: &str| d[key].as_str().unwrap_or_default();
        let line = d["line"].as_u64().map(|l| format!(":{l}")).unwrap_or_default();
        say!("{}: {}{line}: {}", text("severity"), text("file"), text("message"))?;
        if let Some(hint) = d["hint"].as_str() {
            say!("  hint: {hint}")?;
        }
    }
    Ok(())
}

fn body(args: &SourceArgs) -> Value {
    json!({
        "source": args.source,
        "reference": args.branch,
        "config": args.config,
        "template": args.template,
    })
}
