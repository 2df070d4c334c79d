//! A data folder whose disk becomes full in the middle of things: whoever asks for something is told, the server
//! stays, and goes on once there is room.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use reqwest::Method;
use serde_json::json;
use steading_tests::{Browser, Cli, Disk, Settings, Workspace, World, journey};

const MIB: usize = 1 << 20;

/// A repository for which there is no room is refused with its reason, and comes when there is.
async fn no_room_to_clone(world: &World, disk: &Disk, cli: &Cli) -> Result<()> {
    let api = world.api();
    let mut noise = vec![0; 8 * MIB];
    rand::rng().fill(noise.as_mut_slice());
    std::fs::write(world.git.work("image").join("noise"), noise)?;
    world.git.push("image", "Large")?;
    let filler = disk.fill_but(4 * MIB)?;
    let made = api.create(&world.git.url("image")).await?;
    let ws = api.until(made.id(), &["failed", "running"]).await?;
    let hint = ws.0["failure"]["hint"].as_str().unwrap_or_default();
    ensure!(ws.failure() == "disk-full" && hint.contains("space"), "{:#}", ws.0);
    ensure!(cli.ok(&["ls"]).await?.stdout.contains("failed (disk-full)"), "`ls` does not say why");
    let opened = cli.run(&["open", "--print", ws.slug()]).await?;
    ensure!(opened.code == 4 && opened.stderr.contains("[disk-full]") && opened.stderr.contains("hint:"), "{opened:?}");

    std::fs::remove_file(filler)?;
    api.change(ws.id(), "start").await?;
    let ws = api.until(ws.id(), &["running"]).await.context("there is room again")?;
    world.says(&ws, "stat -c %s noise; git status --porcelain", &(8 * MIB).to_string()).await?;
    api.delete(ws.id()).await
}

/// No room for anything at all, while one is on its way and another runs.
async fn no_room_to_write(world: &World, disk: &Disk, cli: &Cli, running: &Workspace) -> Result<()> {
    let api = world.api();
    let browser = Browser::signed_in(&world.steading).await?;
    browser.sees_editor(running).await?;
    let pid = world.steading.pid();
    let coming = api.create(&world.git.url("hooked")).await?;
    api.until(coming.id(), &["starting", "initializing"]).await?;
    let filler = disk.fill_but(0)?;

    // What the database has already taken of the disk holds a few more.
    let mut names = 0..5_000;
    let (status, problem) = loop {
        let name = names.next().context("nothing is refused")?.to_string();
        let wish = json!({ "name": name, "scope": "read" });
        let (status, answer) = api.call(Method::POST, "/tokens", Some(wish)).await?;
        if !status.is_success() {
            break (status, answer);
        }
    };
    let hint = problem["hint"].as_str().unwrap_or_default();
    ensure!(status == 503 && problem["code"] == "disk-full" && hint.contains("Free space"), "{status}: {problem:#}");
    let up = cli.run(&["up", &world.git.url("plain")]).await?;
    ensure!(up.code != 0 && up.stderr.contains("[disk-full]") && up.stderr.contains("hint:"), "{up:?}");
    // Longer than a lease lasts.
    tokio::time::sleep(Duration::from_secs(4)).await;
    ensure!(cli.ok(&["ls"]).await?.stdout.contains(running.slug()), "what is there is not listed");
    browser.sees_editor(running).await.context("whoever is in stays in")?;
    world.says(running, "cat mine.txt", "mine").await?;

    std::fs::remove_file(filler)?;
    let ws = api.until(coming.id(), &["failed", "running"]).await?;
    if ws.phase() == "failed" {
        ensure!(ws.failure() == "disk-full", "{:#}", ws.0);
        api.change(ws.id(), "start").await?;
    }
    let ws = api.until(ws.id(), &["running"]).await.context("there is room again")?;
    world.comes_to_say(&ws, "grep -c 'end onCreate' .hooks; grep -c 'end updateContent' .hooks", "1\n1").await?;
    ensure!(world.steading.pid() == pid && std::path::Path::new(&format!("/proc/{pid}")).exists(), "the server ended");
    let log = world.steading.log();
    ensure!(!log.contains("panicked"), "the server panicked:\n{log}");
    cli.ok(&["up", &world.git.url("plain")]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_without_room_is_told_of_and_loses_nothing() -> Result<()> {
    let Some(disk) = Disk::mount("48m")? else { return Ok(()) };
    let settings = Settings::default()
        .below(disk.path())
        .env("STEADING_WORKER__LEASE_SECONDS", "2")
        .env("STEADING_WORKER__SWEEP_SECONDS", "1");
    journey(settings, async |world| {
        let cli = Cli::new(world.data_dir());
        let running = world.run("plain").await?;
        world.says(&running, "echo mine > mine.txt", "").await?;
        no_room_to_clone(world, &disk, &cli).await.context("no room to clone")?;
        no_room_to_write(world, &disk, &cli, &running).await.context("no room to write")
    })
    .await
}
