//! `steading exec`.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use crate::args::ExecArgs;
use crate::client::Client;
use crate::error::{CliError, Kind};
use crate::output::{self, note, say};

/// The longest that the server waits for a command, in seconds.
const LONGEST: u32 = 3600;

#[derive(Debug, Deserialize)]
struct Outcome {
    exit_code: i64,
    stdout: String,
    stderr: String,
    stdout_truncated: bool,
    stderr_truncated: bool,
}

/// Runs a command in a workspace; its exit code becomes ours, with `--json` too.
pub async fn run(args: ExecArgs) -> Result<ExitCode, CliError> {
    let client = Client::connect(&args.client)?;
    let mut env = serde_json::Map::new();
    for pair in &args.env {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            CliError::new(Kind::User, "env-malformed", format!("`{pair}` is not NAME=VALUE"))
                .hint("Write --env NAME=VALUE.".to_owned())
        })?;
        env.insert(name.to_owned(), value.into());
    }
    let stdin = match args.interactive {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                CliError::new(Kind::User, "stdin-unreadable", format!("standard input cannot be sent: {error}"))
                    .hint("It is sent as text. Encode what is not, with base64 for example.".to_owned())
            })?;
            Some(text)
        }
        false => None,
    };
    let body = json!({
        "cmd": args.cmd,
        "user": args.user,
        "workdir": args.workdir,
        "env": env,
        "stdin": stdin,
        // Whoever waits can interrupt it, so there is no hurry.
        "timeout_seconds": args.timeout.unwrap_or(LONGEST),
    });
    let path = format!("/workspaces/{}/exec", args.name);
    let answer: serde_json::Value = client.post(&path, &body).await?;
    let outcome: Outcome = serde_json::from_value(answer.clone()).map_err(CliError::internal)?;
    if args.client.json {
        say!("{answer:#}")?;
    } else {
        output::bytes(outcome.stdout.as_bytes())?;
        let _ = std::io::stderr().write_all(outcome.stderr.as_bytes());
        if outcome.stdout_truncated || outcome.stderr_truncated {
            note!("warning: there was more output than 1 MiB; the rest is cut");
        }
    }
    Ok(ExitCode::from(u8::try_from(outcome.exit_code.clamp(0, 255)).unwrap_or(255)))
}
