//! `steading ls` and `steading show`.

use chrono::Utc;
use serde_json::Value;

use crate::args::{ListArgs, NameArgs};
use crate::client::{Client, Workspace};
use crate::error::CliError;
use crate::output::{self, say};

/// So many on a page; all pages are fetched.
const PER_PAGE: u64 = 200;

/// Lists workspaces.
pub async fn run(args: ListArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let mut items: Vec<Value> = Vec::new();
    for page in 1.. {
        let path = format!("/workspaces?page={page}&per_page={PER_PAGE}&all={}", args.all);
        let mut list: Value = client.get(&path).await?;
        let Some(batch) = list["items"].as_array_mut() else { break };
        let full = batch.len() as u64 == PER_PAGE;
        items.append(batch);
        if !full {
            break;
        }
    }
    if args.client.json {
        say!("{:#}", Value::Array(items))?;
        return Ok(());
    }
    let now = Utc::now();
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .filter_map(|item| serde_json::from_value::<Workspace>(item).ok())
        .map(|w| {
            let why = w.failure.map(|f| format!(" ({})", f.code)).unwrap_or_default();
            vec![w.slug, format!("{}{why}", w.phase), output::age(w.created_at, now), w.source, w.url]
        })
        .collect();
    say!("{}", output::table(&["NAME", "PHASE", "AGE", "SOURCE", "URL"], &rows))?;
    Ok(())
}

/// Shows one workspace.
pub async fn show(args: NameArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let whole: Value = client.get(&format!("/workspaces/{}", args.name)).await?;
    say!("{whole:#}")?;
    Ok(())
}
