//! From `POST` to the workbench, against `devcontainer up` and against the floor: create, start, and a
//! Node hello-world that answers.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::browser::{self, Browser};
use crate::engine::{Engine, LABEL};
use crate::report::{Goal, Row, median, ms, quantile};
use crate::stage::{self, Server};

const HELLO: &str = "require('http').createServer((_, answer) => answer.end('hello')).listen(8080)";

/// Measures one row of launches; `name` is `launch-root` or `launch-uid`.
pub async fn run(name: &str, rounds: usize) -> Result<Vec<Row>> {
    let engine = Engine::here()?;
    let server = Server::start(&[])?;
    let user = (name == "launch-uid").then_some("vscode");
    let repository = stage::repository(server.folder.path(), "project", user)?;
    let source = format!("file://{}", repository.display());
    let tool = std::env::var("STEADING_BENCH_DEVCONTAINER").context("STEADING_BENCH_DEVCONTAINER is not set")?;

    // The first of each fills caches, the engine's too.
    let (_, warm) = launch(&server, &source).await?;
    let ide = ide_volume(&engine, &warm).await?;
    server.steading.api().delete(&warm).await?;
    floor(&engine, &ide).await?;
    let before = images()?;
    let reference = Reference { tool, folder: repository.display().to_string() };
    reference.up(&engine).await?;

    let (mut ours, mut floors, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (time, slug) = launch(&server, &source).await?;
        ours.push(ms(time));
        server.steading.api().delete(&slug).await?;
        floors.push(ms(floor(&engine, &ide).await?));
        others.push(ms(reference.up(&engine).await?));
        let last = |values: &[f64]| values.last().copied().unwrap_or_default();
        eprintln!(
            "{name} {}: ours {:.0} ms, floor {:.0} ms, devcontainer up {:.0} ms",
            round + 1,
            last(&ours),
            last(&floors),
            last(&others)
        );
    }
    for image in images()?.into_iter().filter(|image| !before.contains(image)) {
        let _ = steading_tests::engine::docker(&["image", "rm", "--force", &image]);
    }
    let (p50, p95, floor) = (median(&ours), quantile(&ours, 0.95), median(&floors));
    let row = |name: String, ours, against, what, goal| Row::new(&name, "ms", ours, against, what, goal);
    let of_floor = "create + start + Node answers, p50";
    Ok(vec![
        row(format!("{name}-p50"), p50, median(&others), "devcontainer up, p50 (starts no IDE)", Goal::Below(1.0)),
        row(format!("{name}-p50"), p50, floor, of_floor, Goal::AtMost(1.6)),
        row(format!("{name}-p95"), p95, floor, of_floor, Goal::AtMost(2.5)),
    ])
}

/// One workspace from `POST` to its workbench, sign-in included.
async fn launch(server: &Server, source: &str) -> Result<(Duration, String)> {
    let client = browser::client()?;
    let (address, token) = (&server.steading.address, &server.steading.token);
    let began = Instant::now();
    let made = client.post(format!("{address}/v1/workspaces")).bearer_auth(token);
    let made: Value = made.json(&json!({ "source": source })).send().await?.json().await?;
    let slug = made["slug"].as_str().with_context(|| format!("no workspace was made: {made}"))?.to_owned();
    let browser = Browser::sign_in(&client, address, token).await?;
    let entry = browser.enter(&slug).await?;
    browser.workbench(&entry).await?;
    let time = began.elapsed();
    // What is done while people are in is not to be cut off, nor to burden what comes next.
    server.steading.api().until(&slug, &["running"]).await?;
    Ok((time, slug))
}

/// The volume that holds the IDE, as a workspace mounts it.
async fn ide_volume(engine: &Engine, slug: &str) -> Result<String> {
    let found = engine.labelled(&format!("dev.steading/slug={slug}")).await?;
    let seen = engine.inspect(found.first().context("the workspace has no container")?).await?;
    let mounts = seen["Mounts"].as_array().context("no mounts")?;
    let ide = mounts.iter().find(|mount| mount["Destination"] == "/opt/steading/ide");
    Ok(ide.and_then(|mount| mount["Name"].as_str()).context("no IDE is mounted")?.to_owned())
}

/// The least that can be done: no repository, no IDE.
async fn floor(engine: &Engine, ide: &str) -> Result<Duration> {
    let client = browser::client()?;
    let body = json!({
        "Image": stage::image(),
        "Entrypoint": [""],
        "Cmd": ["/opt/steading/ide/bin/node", "-e", HELLO],
        "HostConfig": { "Mounts": [
            { "Type": "volume", "Source": ide, "Target": "/opt/steading/ide", "ReadOnly": true },
        ] },
    });
    let began = Instant::now();
    let id = engine.create(body).await?;
    engine.start(&id).await?;
    let url = format!("http://{}:8080/", engine.address(&id).await?);
    let answered = browser::until(|| client.get(&url), |page| page == "hello").await;
    let time = began.elapsed();
    engine.remove(&id).await?;
    answered.map(|()| time)
}

/// The reference implementation's command line.
struct Reference {
    tool: String,
    folder: String,
}

impl Reference {
    async fn up(&self, engine: &Engine) -> Result<Duration> {
        let mut command = tokio::process::Command::new("node");
        command.args([&self.tool, "up", "--workspace-folder", &self.folder]);
        command.args(["--id-label", &format!("{LABEL}=reference")]).stdin(Stdio::null());
        let began = Instant::now();
        let done = command.output().await.context("node cannot be run")?;
        let time = began.elapsed();
        if !done.status.success() {
            bail!("devcontainer up: {}", String::from_utf8_lossy(&done.stderr));
        }
        for id in engine.labelled(&format!("{LABEL}=reference")).await? {
            engine.remove(&id).await?;
        }
        Ok(time)
    }
}

/// Names of the images that the reference implementation makes.
fn images() -> Result<Vec<String>> {
    let all = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=vsc-*"];
    Ok(steading_tests::engine::docker(&all)?.lines().map(str::to_owned).collect())
}
