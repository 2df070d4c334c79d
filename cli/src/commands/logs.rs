//! `steading logs`.

use std::time::Duration;

use futures::StreamExt as _;

use crate::args::LogsArgs;
use crate::client::Client;
use crate::error::CliError;
use crate::follow::log_line;

/// A server that restarts is back within so many seconds.
const PATIENCE: u32 = 60;

/// Prints a workspace's log; with `--follow` until it is deleted.
pub async fn run(args: LogsArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let path = format!("/workspaces/{}/logs", args.name);
    let mut after = "0".to_owned();
    let mut failures = 0;
    loop {
        match client.events(&path, &after, args.follow).await {
            Ok(lines) => {
                failures = 0;
                let mut lines = std::pin::pin!(lines);
                while let Some((id, line)) = lines.next().await {
                    after = id;
                    if args.client.json { println!("{line}") } else { println!("{}", log_line(&line)) }
                }
            }
            Err(error) if args.follow && error.is_unreachable() && failures < PATIENCE => failures += 1,
            Err(error) if args.follow && after != "0" && error.is("workspace-not-found") => return Ok(()),
            Err(error) => return Err(error),
        }
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
