//! A rebuild on a real engine: until the new container is there people stay in the old one, and one that
//! fails takes nothing away.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use steading_tests::{Browser, Cli, Settings, Workspace, World, journey};

/// The warnings of a workspace that has come to run again.
async fn warnings(world: &World, ws: &Workspace) -> Result<Vec<Value>> {
    let ws = world.api().until(ws.id(), &["running"]).await?;
    ensure!(ws.0["failure"].is_null(), "{:#}", ws.0);
    Ok(ws.0["warnings"].as_array().cloned().unwrap_or_default())
}

/// People work in it as before.
async fn works(world: &World, browser: &Browser, ws: &Workspace) -> Result<()> {
    browser.sees_editor(ws).await?;
    world.says(ws, "id -un; pwd; cat mine.txt", "vscode\n/workspaces/dockerfile\nmine").await
}

async fn broken_build(world: &World, browser: &Browser, ws: &Workspace) -> Result<()> {
    let api = world.api();
    let before = world.container(ws.id())?;
    world.says(ws, "sed -i '1a RUN sleep 5; echo this goes wrong; exit 3' .devcontainer/Dockerfile", "").await?;
    api.change(ws.id(), "rebuild").await?;
    works(world, browser, ws).await.context("before anybody has looked")?;
    api.until(ws.id(), &["building"]).await?;
    works(world, browser, ws).await.context("while it is built")?;

    let told = warnings(world, ws).await?;
    let [warning] = told.as_slice() else { anyhow::bail!("not one warning: {told:#?}") };
    ensure!(warning["code"] == "build-failed" && warning["hint"].is_string(), "{warning:#}");
    ensure!(warning["output"].as_str().is_some_and(|said| said.contains("this goes wrong")), "{warning:#}");
    works(world, browser, ws).await.context("after the build has failed")?;
    ensure!(world.container(ws.id())? == before, "the container was replaced");
    Ok(())
}

async fn refused_start(world: &World, browser: &Browser, ws: &Workspace) -> Result<()> {
    world.says(ws, "git checkout --quiet .devcontainer", "").await?;
    let bad = json!({
        "build": { "dockerfile": "Dockerfile", "context": "..", "args": { "WORD": "barn" }, "target": "dev" },
        "remoteUser": "vscode", "runArgs": ["--sysctl", "net.ipv4.there_is_no_such=1"],
    });
    world.says(ws, &format!("echo '{bad}' > .devcontainer/devcontainer.json"), "").await?;
    let rebuilt = Cli::new(world.data_dir()).run(&["rebuild", ws.slug()]).await?;
    ensure!(rebuilt.code == 4 && rebuilt.stderr.contains("[engine-refused]"), "{rebuilt:?}");
    let told = warnings(world, ws).await?;
    ensure!(told.len() == 1 && told[0]["step"] == "up", "{told:#?}");
    works(world, browser, ws).await
}

async fn mended(world: &World, browser: &Browser, ws: &Workspace) -> Result<()> {
    let api = world.api();
    let before = world.container(ws.id())?;
    world.says(ws, "git checkout --quiet .devcontainer && echo edited > greeting.txt", "").await?;
    // What a build does not see is neither sent nor counted.
    world
        .says(ws, "mkdir node_modules && truncate -s 64M node_modules/large && echo node_modules > .dockerignore", "")
        .await?;
    api.change(ws.id(), "rebuild").await?;
    let told = warnings(world, ws).await?;
    ensure!(told.is_empty(), "{told:#?}");
    ensure!(world.container(ws.id())? != before, "the container was not replaced");
    world.says(ws, "cat /greeting.txt", "edited\nbuilt with barn").await?;
    works(world, browser, ws).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_leaves_the_workspace_as_it_was() -> Result<()> {
    journey(Settings::default().env("STEADING_SOURCE__MAX_MIB", "32"), async |world| {
        let world = &*world;
        let browser = &Browser::signed_in(&world.steading).await?;
        let ws = &world.run("dockerfile").await?;
        world.says(ws, "echo mine > mine.txt", "").await?;
        broken_build(world, browser, ws).await.context("a build that fails")?;
        refused_start(world, browser, ws).await.context("a start that is refused")?;
        mended(world, browser, ws).await.context("mended")
    })
    .await
}
