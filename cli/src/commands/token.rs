//! `steading token`.

use serde_json::{Value, json};

use crate::args::{ScopeArg, TokenCommand};
use crate::client::Client;
use crate::error::CliError;
use crate::output::{self, note, say};

/// Manages API tokens.
pub async fn run(command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::Create { name, scope, days, client } => {
            let scope = match scope {
                ScopeArg::All => "all",
                ScopeArg::Read => "read",
                ScopeArg::Prebuild => "prebuild",
            };
            let body = json!({ "name": name, "scope": scope, "days": days });
            let made: Value = Client::connect(&client)?.post("/tokens", &body).await?;
            if client.json {
                say!("{made:#}")?;
            } else {
                say!("{}", made["token"].as_str().unwrap_or_default())?;
                note!("Keep it: only its hash stays here, so it cannot be shown again.");
            }
        }
        TokenCommand::Ls { client } => {
            let list: Value = Client::connect(&client)?.get("/tokens").await?;
            if client.json {
                say!("{list:#}")?;
                return Ok(());
            }
            let text = |item: &Value, key: &str| item[key].as_str().unwrap_or("never").to_owned();
            let rows: Vec<Vec<String>> = list["items"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|t| ["id", "name", "scope", "created_at", "expires_at"].map(|k| text(t, k)).to_vec())
                .collect();
            say!("{}", output::table(&["ID", "NAME", "SCOPE", "CREATED", "EXPIRES"], &rows))?;
        }
        TokenCommand::Rm { id, client } => {
            Client::connect(&client)?.delete(&format!("/tokens/{id}")).await?;
            match client.json {
                true => say!("{:#}", json!({ "id": id, "outcome": "revoked" }))?,
                false => say!("{id}")?,
            }
        }
    }
    Ok(())
}
