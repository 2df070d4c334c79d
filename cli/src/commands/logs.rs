//! `steading logs`.

use futures::StreamExt as _;

use crate::args::LogsArgs;
use crate::client::Client;
use crate::error::CliError;
use crate::follow::{PATIENCE, PAUSE, log_line};
use crate::output::{note, say};

/// Prints a workspace's log; with `--follow` until it is deleted.
pub async fn run(args: LogsArgs) -> Result<(), CliError> {
    let client = Client::connect(&args.client)?;
    let path = format!("/workspaces/{}/logs", args.name);
    let mut after = "0".to_owned();
    // A server that never answered is not waited for: its address may be wrong.
    let mut failures = PATIENCE;
    loop {
        match client.events(&path, &after, args.follow).await {
            Ok(lines) => {
                failures = 0;
                let mut lines = std::pin::pin!(lines);
                while let Some((id, line)) = lines.next().await {
                    after = id;
                    if args.client.json { say!("{line}")? } else { say!("{}", log_line(&line))? }
                }
            }
            Err(error) if args.follow && error.is_unreachable() && failures < PATIENCE => {
                if failures == 0 {
                    note!("warning: {error} (trying again)");
                }
                failures += 1;
            }
            Err(error) if args.follow && after != "0" && error.is("workspace-not-found") => return Ok(()),
            Err(error) => return Err(error),
        }
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
