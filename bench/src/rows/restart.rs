//! From `start` of a stopped workspace to its workbench, against a container with the same volumes, bundle
//! and cache that runs the same command alone.

use std::time::Instant;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{self, Browser};
use crate::engine::Engine;
use crate::report::{Goal, Row, median, ms};
use crate::stage::{self, Server};

/// Measures the row.
pub async fn run(rounds: usize) -> Result<Vec<Row>> {
    let engine = Engine::here()?;
    let server = Server::start(&[])?;
    let repository = stage::repository(server.folder.path(), "project", None)?;
    let api = server.steading.api();
    let made = api.create(&format!("file://{}", repository.display())).await?;
    let slug = made.slug().to_owned();
    api.until(&slug, &["running"]).await?;
    let client = browser::client()?;
    let browser = Browser::sign_in(&client, &server.steading.address, &server.steading.token).await?;
    let entry = browser.enter(&slug).await?;
    browser.workbench(&entry).await?;
    let alone = Alone::beside(&engine, &slug).await?;

    let stop = async || -> Result<()> {
        api.ok(Method::POST, &format!("/workspaces/{slug}/stop"), None).await?;
        api.until(&slug, &["stopped"]).await.map(drop)
    };
    stop().await?;
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    // The first round fills caches.
    for round in 0..=rounds {
        let began = Instant::now();
        api.ok(Method::POST, &format!("/workspaces/{slug}/start"), None).await?;
        browser.workbench(&entry).await?;
        let time = ms(began.elapsed());
        api.until(&slug, &["running"]).await?;
        stop().await?;
        let other = alone.start(&engine, &client).await?;
        if round > 0 {
            eprintln!("restart {round}: ours {time:.0} ms, alone {other:.0} ms");
            ours.push(time);
            others.push(other);
        }
    }
    engine.remove(&alone.id).await?;
    let what = "docker start + same IDE command, bundle, cache";
    Ok(vec![Row::new("restart", "ms", median(&ours), median(&others), what, Goal::AtMost(1.15))])
}

/// The IDE in a container without anything else of ours.
struct Alone {
    id: String,
    port: u64,
}

impl Alone {
    /// Takes image, environment, command and volumes from a workspace's container.
    async fn beside(engine: &Engine, slug: &str) -> Result<Self> {
        let found = engine.labelled(&format!("dev.steading/slug={slug}")).await?;
        let seen = engine.inspect(found.first().context("the workspace has no container")?).await?;
        let told = "STEADING_INSIDE=";
        let env: Vec<&str> = seen["Config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let inside = env.iter().find_map(|e| e.strip_prefix(told)).context("the container is told nothing")?;
        let service = serde_json::from_str::<Value>(inside)?["service"].take();
        let mut env: Vec<String> = env.iter().filter(|e| !e.starts_with(told)).map(|e| (*e).to_owned()).collect();
        let own = service["env"].as_object().into_iter().flatten();
        env.extend(own.filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))));
        let args = service["args"].as_array().context("no command")?;
        let bound = args.iter().filter_map(Value::as_str).find_map(|a| a.strip_prefix("0.0.0.0:"));
        let port = bound.and_then(|port| port.parse().ok()).context("the IDE's port is not in its command")?;
        let mounts = seen["Mounts"].as_array().context("no mounts")?.iter().filter(|m| m["Type"] == "volume");
        let mounts: Vec<Value> = mounts
            .map(|m| {
                let read_only = m["RW"] == false;
                json!({ "Type": "volume", "Source": m["Name"], "Target": m["Destination"], "ReadOnly": read_only })
            })
            .collect();
        let body = json!({
            "Image": seen["Image"],
            "Entrypoint": [""],
            "Cmd": args,
            "Env": env,
            "User": service["user"],
            "WorkingDir": service["cwd"],
            "HostConfig": { "Mounts": mounts, "Init": true },
        });
        Ok(Self { id: engine.create(body).await?, port })
    }

    /// Milliseconds from start to workbench.
    async fn start(&self, engine: &Engine, client: &reqwest::Client) -> Result<f64> {
        let began = Instant::now();
        engine.start(&self.id).await?;
        let url = format!("http://{}:{}/?folder=/", engine.address(&self.id).await?, self.port);
        browser::until(|| client.get(&url).header("accept", "text/html"), browser::is_workbench).await?;
        let time = ms(began.elapsed());
        engine.stop(&self.id).await?;
        Ok(time)
    }
}
