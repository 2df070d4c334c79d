//! Terminals on a real engine: what is in them ends with them, whoever goes first.

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Settings, Terminal, Workspace, World, eventually, journey};

/// Waits until no process of the workspace has this argument.
async fn ends(world: &World, ws: &Workspace, argument: &str) -> Result<()> {
    // The pattern does not match the command line that has it.
    let (first, rest) = argument.split_at(1);
    let script = format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '^[{first}]{rest}$' || true");
    let left = async || world.api().exec(ws.id(), &script).await.ok().filter(|(_, count)| count.trim() == "0");
    eventually(left).await.with_context(|| format!("a process with {argument} goes on")).map(drop)
}

async fn sleeping(world: &World, ws: &Workspace, seconds: &str) -> Result<Terminal> {
    let mut terminal = Terminal::open(&world.steading, ws.id()).await?;
    terminal.types(&format!("echo beg''un; sleep {seconds}\n")).await?;
    terminal.shows("begun\r\n").await?;
    Ok(terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_ends_with_whoever_sits_there() -> Result<()> {
    journey(Settings::default(), async |world| {
        let ws = world.run("plain").await?;

        let mut terminal = Terminal::open(&world.steading, ws.id()).await?;
        terminal.types("stty size; tty | cut -c 1-9; pwd\n").await?;
        terminal.shows("24 80\r\n/dev/pts/\r\n/workspaces/plain\r\n").await?;
        terminal.resize(132, 43).await?;
        terminal.types("stty size\n").await?;
        terminal.shows("43 132\r\n").await?;
        // A program that floods its output can be interrupted.
        terminal.types("yes\n").await?;
        terminal.shows("y\r\ny\r\n").await?;
        terminal.types("\x03").await?;
        terminal.types("echo still he''re\n").await?;
        terminal.shows("still here\r\n").await?;
        terminal.types("exit 3\n").await?;
        let last = terminal.last_word().await?;
        ensure!(last["exit"] == 3, "{last}");

        // The connection goes without a word.
        drop(sleeping(world, &ws, "1001").await?);
        ends(world, &ws, "1001").await?;

        // The server goes without a word, which the engine tells.
        let terminal = sleeping(world, &ws, "1002").await?;
        world.steading.kill();
        drop(terminal);
        world.steading.restart()?;
        ends(world, &ws, "1002").await?;

        // The container goes.
        let mut terminal = sleeping(world, &ws, "1003").await?;
        world.api().change(ws.id(), "stop").await?;
        let last = terminal.last_word().await?;
        ensure!(last["exit"].is_i64() || last["problem"]["hint"].is_string(), "{last}");
        Ok(())
    })
    .await
}
