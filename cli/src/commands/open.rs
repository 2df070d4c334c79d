//! `steading open`.

use serde_json::{Value, json};

use crate::args::OpenArgs;
use crate::browser;
use crate::client::{Client, Workspace};
use crate::error::CliError;
use crate::follow::{Goal, until};
use crate::output::{note, say};

/// Opens a workspace's IDE or a port of it, starting it if it is stopped.
pub async fn run(args: OpenArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let path = format!("/workspaces/{}", args.name);
    let mut workspace: Workspace = client.get(&path).await?;
    if workspace.desired == "stopped" {
        workspace = client.post(&format!("{path}/start"), &Value::Null).await?;
    }
    if let Some(ready) = until(&client, &args.name, Goal::Running, workspace.updated_at).await? {
        workspace = ready;
    }
    let url = match args.port {
        Some(port) => workspace.url.replacen("://", &format!("://{port}-"), 1),
        None => workspace.url,
    };
    let opened = !args.print && browser::open(&url);
    match args.client.json {
        true => say!("{:#}", json!({ "url": url, "opened": opened }))?,
        false => say!("{url}")?,
    }
    if !args.print && !opened {
        note!("No browser was found here; open the address above.");
    }
    Ok(())
}
