//! A hook that stays outlives whoever follows it: its output goes on in the log after a restart of Steading, with
//! each line once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Settings, Workspace, World, engine, eventually, journey};

/// The ticks in the log so far, which have no gap and no double.
async fn ticks(world: &World, ws: &Workspace) -> Result<usize> {
    let log = world.api().log(ws.id()).await?;
    let said = log.lines().filter_map(|line| line.strip_prefix("[hook:postStartCommand] tick "));
    let numbers = said.map(str::parse).collect::<Result<Vec<usize>, _>>().with_context(|| log.clone())?;
    ensure!(numbers.iter().copied().eq(1..=numbers.len()), "lines are lost, or there twice: {numbers:?}");
    Ok(numbers.len())
}

/// Waits until there are more ticks than so many.
async fn more_than(world: &World, ws: &Workspace, before: usize) -> Result<usize> {
    let more = eventually(async || match ticks(world, ws).await {
        Ok(now) if now <= before => None,
        other => Some(other),
    });
    more.await.with_context(|| format!("the log stands still after tick {before}"))?
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_after_a_restart() -> Result<()> {
    // A restarted server looks at what runs soon, as its sweeper does anyway.
    journey(Settings::default().env("STEADING_WORKER__SWEEP_SECONDS", "1"), async |world| {
        let api = world.api();
        let ws = world.run("ticking").await?;
        let mut seen = more_than(world, &ws, 0).await?;
        let before = engine::docker(&["inspect", "--format", "{{.State.StartedAt}}", &world.container(ws.id())?])?;
        for how in ["stopped", "killed", "killed early"] {
            match how {
                "stopped" => world.steading.stop()?,
                _ => world.steading.kill(),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.steading.restart()?;
            if how != "killed early" {
                // More than what it had printed by then.
                let now = more_than(world, &ws, seen).await.context(how)?;
                seen = more_than(world, &ws, now + 20).await.context(how)?;
            }
        }
        more_than(world, &ws, seen).await?;
        world.says(&ws, "touch /tmp/over", "").await?;
        let ended = async || {
            let log = api.log(ws.id()).await.ok()?;
            log.lines().any(|line| line == "[hook:postStartCommand] over").then_some(())
        };
        eventually(ended).await.context("its last word is not in the log")?;
        let told = async || {
            let events = api.events(ws.id()).await.ok()?;
            let of_it =
                |e: &&serde_json::Value| e["event"] == "hook-finished" && e["detail"]["stage"] == "postStartCommand";
            events.iter().find(of_it).cloned()
        };
        let told = eventually(told).await.context("its end was not told")?;
        ensure!(told["detail"]["exit"] == 3, "{told:#}");
        ticks(world, &ws).await?;
        let now = engine::docker(&["inspect", "--format", "{{.State.StartedAt}}", &world.container(ws.id())?])?;
        ensure!(now == before, "the container was started again");
        // Nobody is left who followed it for a server that is gone.
        world.comes_to_say(&ws, "pgrep -fc '[i]nside hook (run|follow)' || true", "0").await
    })
    .await
}
