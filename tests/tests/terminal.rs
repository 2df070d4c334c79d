//! Terminals on a real engine: what is in them ends with them, whoever goes first.

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Cli, Settings, Terminal, Workspace, World, eventually, journey};

/// How many processes of the workspace have to do with sleeping for so many seconds; `None` if it cannot be asked.
async fn count(world: &World, ws: &Workspace, seconds: &str) -> Option<String> {
    // The pattern does not match the command line that has it.
    let (first, rest) = seconds.split_at(1);
    let script =
        format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep [{first}]{rest}' | wc -l");
    world.api().exec(ws.id(), &script).await.ok().map(|(_, count)| count.trim().to_owned())
}

/// Waits until no process of the workspace sleeps for so many seconds.
async fn ends(world: &World, ws: &Workspace, argument: &str) -> Result<()> {
    let left = async || count(world, ws, argument).await.filter(|count| count == "0");
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

        // So does whoever waits for a command.
        let mut waiting = Cli::new(world.data_dir()).begin(&["exec", ws.slug(), "--", "sleep", "1004"])?;
        let begun = async || count(world, &ws, "1004").await.filter(|count| count != "0");
        eventually(begun).await.context("it does not begin")?;
        waiting.kill()?;
        waiting.wait()?;
        ends(world, &ws, "1004").await?;

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
