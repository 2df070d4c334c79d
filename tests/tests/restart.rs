//! A container that somebody restarts behind our back is as one that we start: it serves again, and who sees its
//! ports does not depend on who looked at it first.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use steading_tests::{Browser, Settings, Workspace, World, engine, eventually, journey};

async fn share(world: &World, ws: &Workspace) -> Result<()> {
    for (port, who) in [(3000, "public"), (4000, "signed-in")] {
        let path = format!("/workspaces/{}/ports/{port}", ws.id());
        world.api().ok(Method::PUT, &path, Some(json!({ "visibility": who }))).await?;
    }
    Ok(())
}

async fn visibility(world: &World, ws: &Workspace) -> Result<Vec<(u64, String)>> {
    let ports = world.api().ok(Method::GET, &format!("/workspaces/{}/ports", ws.id()), None).await?;
    let items = ports["items"].as_array().context("no list")?;
    let shown = |item: &serde_json::Value| Some((item["port"].as_u64()?, item["visibility"].as_str()?.to_owned()));
    Ok(items.iter().filter_map(shown).filter(|(_, who)| who != "private").collect())
}

/// What somebody sees at the port of the program in the workspace: the program, or not.
async fn is_served(browser: &Browser, ws: &Workspace) -> bool {
    browser
        .page(&ws.port_url(3000))
        .await
        .is_ok_and(|(status, page)| status.is_success() && page.contains("\"method\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_fall_back_whoever_restarts_the_container() -> Result<()> {
    journey(Settings::default(), async |world| {
        let ws = world.run("server").await?;
        let (mine, stranger) = (Browser::signed_in(&world.steading).await?, Browser::stranger(&world.steading));
        let all = [(3000, "public".to_owned()), (4000, "signed-in".to_owned())];
        // Once we see it down and start it ourselves, once it is up before we look.
        for time in ["1", "0", "1", "0"] {
            share(world, &ws).await?;
            let open = async || is_served(&stranger, &ws).await.then_some(());
            eventually(open).await.context("everybody sees what is public")?;
            let container = world.container(ws.id())?;
            engine::docker(&["restart", "--time", time, &container])?;
            let fell_back = async || (*visibility(world, &ws).await.ok()? == all[1..]).then_some(());
            eventually(fell_back).await.with_context(|| format!("after `docker restart --time {time}`"))?;
            let serves = async || is_served(&mine, &ws).await.then_some(());
            eventually(serves).await.context("its owner sees it again")?;
            ensure!(!is_served(&stranger, &ws).await, "a stranger sees a private port");
            ensure!(world.container(ws.id())? == container, "another container took its place");
            mine.sees_editor(&ws).await?;
        }
        // A restart of Steading is none of the container's.
        share(world, &ws).await?;
        world.steading.kill();
        world.steading.restart()?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        ensure!(visibility(world, &ws).await? == all && is_served(&stranger, &ws).await, "what was public is not");
        Ok(())
    })
    .await
}
