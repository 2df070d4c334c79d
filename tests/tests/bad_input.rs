//! What people, repositories and engines get wrong: each has a clear failure, can be tried again or
//! deleted, and loses nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use steading_tests::{Browser, Cli, Proxy, Settings, Workspace, World, engine, eventually, journey};
use tokio::net::TcpListener;

/// Fails unless the workspace has failed with this code and a hint, in the API and in the terminal.
async fn failed(world: &World, cli: &Cli, made: &Workspace, code: &str, hint: &str) -> Result<Workspace> {
    let ws = world.api().until(made.id(), &["failed", "running"]).await?;
    let failure = &ws.0["failure"];
    ensure!(ws.failure() == code, "not {code}: {:#}\n{}", ws.0, world.api().log(ws.id()).await?);
    ensure!(failure["hint"].as_str().is_some_and(|said| said.contains(hint)), "{failure:#}");
    ensure!(failure["message"].as_str().is_some_and(|said| said.len() > 10), "{failure:#}");
    ensure!(cli.ok(&["ls"]).await?.stdout.contains(&format!("failed ({code})")), "`ls` does not say {code}");
    let opened = cli.run(&["open", "--print", ws.slug()]).await?;
    let says_so = opened.stderr.contains(&format!("[{code}]")) && opened.stderr.contains("hint:");
    ensure!(opened.code == 4 && says_so, "{opened:?}");
    Ok(ws)
}

async fn deletes(world: &World, ws: &Workspace) -> Result<()> {
    world.api().delete(ws.id()).await.with_context(|| format!("{} cannot be deleted", ws.0["source"]))
}

/// What is refused at once makes nothing.
async fn refused(world: &World) -> Result<()> {
    let api = world.api();
    for (source, code) in [
        ("", "source-empty"),
        ("nonsense", "source-not-a-url"),
        ("a b", "source-unprintable"),
        ("ftp://example.com/a/b", "source-scheme-not-supported"),
        ("https://github.com", "source-without-repository"),
        ("./here", "source-path-not-absolute"),
        ("https://example.com/a/b#bad..name", "source-reference-invalid"),
    ] {
        for path in ["/workspaces", "/resolve", "/refs"] {
            let (status, problem) = api.call(Method::POST, path, Some(json!({ "source": source }))).await?;
            ensure!(status == 400 && problem["code"] == code, "{source:?}: {status}: {problem:#}");
            ensure!(problem["hint"].is_string() && problem["request_id"].is_string(), "{problem:#}");
        }
    }
    for body in [json!({}), json!({ "source": 1 }), json!([])] {
        let (status, problem) = api.call(Method::POST, "/workspaces", Some(body)).await?;
        ensure!(status == 400 && problem["code"].is_string() && problem["hint"].is_string(), "{status}: {problem:#}");
    }
    ensure!(api.list().await?.is_empty(), "a refused source made a workspace");
    Ok(())
}

/// Repositories that cannot be had, each with its own reason.
async fn sources(world: &World, cli: &Cli, silent: u16) -> Result<()> {
    let plain = world.git.url("plain");
    let wrong = world.git.url("private-plain").replace("://", "://fox:hound@");
    let cases = [
        (world.git.url("nowhere"), "repository-not-found", "Check the address"),
        (world.git.url("private-plain"), "repository-not-found", "source.credentials"),
        (wrong, "credentials-refused", "source.credentials"),
        (format!("{plain}#feature/odl"), "ref-not-found", "feature/old"),
        (format!("{plain}#0123456789012345678901234567890123456789"), "ref-not-found", "default branch"),
        (format!("http://127.0.0.1:{silent}/a/b.git"), "host-timeout", "timeout_seconds"),
        ("/nowhere/at/all".to_owned(), "repository-not-found", "Check the path"),
    ];
    let mut made = Vec::new();
    for (source, ..) in &cases {
        made.push(world.api().create(source).await?);
    }
    for (made, (source, code, hint)) in made.iter().zip(&cases) {
        let ws = failed(world, cli, made, code, hint).await.with_context(|| source.clone())?;
        ensure!(!ws.0.to_string().contains("hound"), "a password is shown: {:#}", ws.0);
        deletes(world, &ws).await?;
    }
    ensure!(!world.steading.log().contains("hound"), "a password is logged");
    Ok(())
}

/// Configurations that cannot be used; mended, they can.
async fn configurations(world: &World, cli: &Cli) -> Result<()> {
    let api = world.api();
    let broken = api.create(&world.git.url("broken-json")).await?;
    let unknown = api.create(&world.git.url("unknown-image")).await?;
    let build = api.create(&world.git.url("failing-build")).await?;

    let ws = failed(world, cli, &broken, "broken-configuration", "").await?;
    let said = ws.0["failure"]["message"].as_str().unwrap_or_default();
    ensure!(said.contains(".devcontainer/devcontainer.json:1:"), "no file and line: {said}");
    mend(world, "broken-json", ".devcontainer/devcontainer.json", "{}")?;
    api.change(ws.id(), "start").await?;
    let ws = api.until(ws.id(), &["running"]).await.context("mended and started again")?;
    deletes(world, &ws).await?;

    let ws = failed(world, cli, &build, "build-failed", "").await?;
    let output = ws.0["failure"]["output"].as_str().unwrap_or_default();
    ensure!(output.contains("step three goes wrong"), "{:#}", ws.0);
    ensure!(api.log(ws.id()).await?.contains("step three goes wrong"), "the log does not say why");
    let image = "FROM mcr.microsoft.com/devcontainers/base:bookworm\n";
    mend(world, "failing-build", ".devcontainer/Dockerfile", image)?;
    api.change(ws.id(), "rebuild").await?;
    let ws = api.until(ws.id(), &["running"]).await.context("mended and rebuilt")?;
    deletes(world, &ws).await?;

    let ws = failed(world, cli, &unknown, "image-pull-failed", "").await?;
    ensure!(ws.0["failure"].to_string().contains("registry.invalid"), "{:#}", ws.0);
    deletes(world, &ws).await
}

fn mend(world: &World, repository: &str, file: &str, text: &str) -> Result<()> {
    std::fs::write(world.git.work(repository).join(file), text)?;
    world.git.push(repository, "Mend it")
}

/// A hook that fails lets people in to mend it; one that never ends stands in nobody's way.
async fn hooks(world: &World, cli: &Cli, browser: &Browser) -> Result<()> {
    let api = world.api();
    let endless = api.create(&world.git.url("endless")).await?;
    let ws = world.run("failing-hook").await?;
    browser.sees_editor(&ws).await?;
    let warned = |w: &&Value| w["code"] == "hook-failed";
    let warnings = ws.0["warnings"].as_array().cloned().unwrap_or_default();
    let warning = warnings.iter().find(warned).with_context(|| format!("no warning: {:#}", ws.0))?;
    ensure!(warning["output"].as_str().is_some_and(|said| said.contains("this goes wrong")), "{warning:#}");
    ensure!(warning["message"].as_str().is_some_and(|said| said.contains('3')), "{warning:#}");
    ensure!(warning["hint"].is_string(), "{warning:#}");
    let (exit, _) = api.exec(ws.id(), "test -e /tmp/never").await?;
    ensure!(exit != 0, "a hook ran after one that failed");
    let up = cli.run(&["rebuild", ws.slug()]).await?;
    ensure!(up.code == 0 && up.stderr.contains("hint:") && up.stderr.contains("this goes wrong"), "{up:?}");
    deletes(world, &ws).await?;

    let begun = async || api.log(endless.id()).await.ok().filter(|log| log.contains("] begun"));
    eventually(begun).await.context("the endless hook never began")?;
    ensure!(api.show(endless.id()).await?.context("gone")?.phase() == "initializing", "it does not wait");
    let (_, page) = browser.page(endless.url()).await?;
    ensure!(page.contains("waking up"), "{page}");
    let begun = Instant::now();
    api.change(endless.id(), "stop").await?;
    api.until(endless.id(), &["stopped"]).await?;
    ensure!(begun.elapsed() < Duration::from_secs(30), "stopping took {:?}", begun.elapsed());
    api.change(endless.id(), "start").await?;
    api.until(endless.id(), &["initializing"]).await?;
    deletes(world, &endless).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_answer() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let port = silent.local_addr()?.port();
    let listening = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    journey(Settings::default().env("STEADING_SOURCE__TIMEOUT_SECONDS", "2"), async |world| {
        let (world, cli) = (&*world, &Cli::new(world.data_dir()));
        let browser = &Browser::signed_in(&world.steading).await?;
        refused(world).await.context("refused")?;
        tokio::try_join!(
            async { sources(world, cli, port).await.context("sources") },
            async { configurations(world, cli).await.context("configurations") },
            async { hooks(world, cli, browser).await.context("hooks") },
        )?;
        Ok(())
    })
    .await?;
    listening.abort();
    Ok(())
}

/// A repository beyond the limit is refused wherever somebody looks, leaves nothing, and comes up once the
/// limit is raised.
#[tokio::test(flavor = "multi_thread")]
async fn an_enormous_repository_is_refused_until_it_may_come() -> Result<()> {
    journey(Settings::default().file("[source]\nmax_mib = 2\n"), async |world| {
        let (api, cli) = (world.api(), Cli::new(world.data_dir()));
        // Nothing in it can be packed any smaller.
        let mut noise = vec![0; 5 << 20];
        rand::rng().fill(noise.as_mut_slice());
        std::fs::write(world.git.work("plain").join("noise"), noise)?;
        world.git.push("plain", "Enormous")?;
        let source = world.git.url("plain");
        let (status, problem) = api.call(Method::POST, "/resolve", Some(json!({ "source": source }))).await?;
        ensure!(status == 422 && problem["code"] == "repository-too-large", "{status}: {problem:#}");

        let (one, two) = (api.create(&source).await?, api.create(&source).await?);
        let (code, hint) = ("repository-too-large", "source.max_mib");
        let ws = failed(world, &cli, &one, code, hint).await?;
        let page = Browser::signed_in(&world.steading).await?.page(ws.url()).await?.1;
        ensure!(page.contains("larger than 2 MiB") && page.contains(hint), "{page}");
        let up = cli.run(&["up", &source]).await?;
        let says_so = up.stderr.contains("[repository-too-large]") && up.stderr.contains(hint);
        ensure!(up.code == 4 && says_so, "{up:?}");
        api.change(ws.id(), "start").await?;
        let ws = failed(world, &cli, &ws, code, hint).await.context("started again")?;
        deletes(world, &failed(world, &cli, &two, code, hint).await?).await?;
        world.assert_nothing_left().context("of what was refused")?;
        let kept = engine::command("du", &["-sk", &world.data_dir().join("git").display().to_string()])?;
        let kib: u64 = kept.split_whitespace().next().unwrap_or_default().parse()?;
        ensure!(kib < 2 << 10, "the cache keeps {kib} KiB of what was refused");

        std::fs::write(world.data_dir().join("steading.toml"), "[source]\nmax_mib = 64\n")?;
        world.steading.stop()?;
        world.steading.restart()?;
        api.change(ws.id(), "start").await?;
        let ws = api.until(ws.id(), &["running"]).await.context("the limit was raised")?;
        world.says(&ws, "stat -c %s noise; git status --porcelain", "5242880").await
    })
    .await
}

/// Docker that is not running yet, and Docker that is restarted in the middle of things.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_comes_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut engine = Proxy::new(folder.path());
    journey(Settings::default().env("STEADING_RUNTIME__DOCKER_HOST", &engine.host()), async |world| {
        let api = world.api();
        let cli = Cli::new(world.data_dir());
        let made = api.create(&world.git.url("plain")).await?;
        let told = eventually(async || {
            let events = api.events(made.id()).await.ok()?;
            events.into_iter().find(|event| event["event"] == "retrying")
        });
        let told = told.await.context("nobody says that the engine is away")?;
        ensure!(told["detail"]["message"].as_str().unwrap_or_default().contains("engine"), "{told:#}");
        ensure!(api.show(made.id()).await?.context("gone")?.0["retry_at"].is_string(), "it is not tried again");
        ensure!(cli.ok(&["ls"]).await?.stdout.contains(made.slug()), "the list needs the engine");

        engine.open()?;
        let ws = api.until(made.id(), &["running"]).await.context("the engine has come")?;
        let browser = Browser::signed_in(&world.steading).await?;
        browser.sees_editor(&ws).await?;
        world.says(&ws, "echo mine > mine.txt", "").await?;

        let second = api.create(&world.git.url("hooks")).await?;
        api.until(second.id(), &["starting", "initializing"]).await?;
        engine.cut();
        let (status, problem) =
            api.call(Method::POST, &format!("/workspaces/{}/exec", ws.id()), Some(json!({ "cmd": ["true"] }))).await?;
        ensure!(status.is_server_error() && problem["hint"].is_string(), "{status}: {problem:#}");
        ensure!(problem["code"] == "engine-unreachable", "{problem:#}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(api.show(ws.id()).await?.context("gone")?.phase() == "running", "an absent engine failed it");
        engine.open()?;
        api.until(second.id(), &["running"]).await.context("the engine was restarted while it was made")?;
        browser.sees_editor(&ws).await?;
        world.says(&ws, "cat mine.txt", "mine").await
    })
    .await
}
