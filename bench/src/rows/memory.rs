//! Memory of the server with many workspaces and many open tunnels.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;

use super::websocket;
use crate::report::{Goal, Row, median};
use crate::stage;
use crate::world::World;

const WORKSPACES: usize = 1000;
const TUNNELS: usize = 500;
/// What the server may take, in MB.
const LIMIT: f64 = 120.0;

/// Measures the row.
pub async fn run(rounds: usize) -> Result<Vec<Row>> {
    let echo = websocket::serve().await?;
    let world = World::start().await?;
    let at_rest = world.memory()?;
    let api = world.api();
    let repository = stage::repository(world.folder(), "project", None)?;
    let source = format!("file://{}", repository.display());
    let made = futures::stream::iter(0..WORKSPACES).map(|_| api.create(&source)).buffer_unordered(8);
    let made: Vec<_> = made.try_collect().await?;
    for workspace in &made {
        api.until(workspace.slug(), &["running"]).await?;
    }
    let there = api.ok(Method::GET, "/workspaces", None).await?;
    if there["total"] != WORKSPACES {
        bail!("not {WORKSPACES} workspaces but {}", there["total"]);
    }
    let without = world.memory()?;
    let browser = world.browser().await?;
    let address = world.address.trim_start_matches("http://").parse()?;
    let mut tunnels = Vec::new();
    for workspace in made.iter().take(TUNNELS) {
        let entry = browser.enter(&format!("{}-{}", echo.port(), workspace.slug())).await?;
        tunnels.push(websocket::open(address, Some(&entry)).await.context("no tunnel")?);
    }
    for tunnel in &mut tunnels {
        websocket::echo(tunnel).await?;
    }
    let mut samples = Vec::new();
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        samples.push(world.memory()?);
    }
    eprintln!("memory: {at_rest:.0} MB at start, {without:.0} MB with {WORKSPACES} workspaces, then {samples:.0?}");
    let row = Row::new("memory", "MB", median(&samples), LIMIT, "the limit", Goal::Below(1.0));
    Ok(vec![row])
}
