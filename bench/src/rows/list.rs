//! A page far down a long list, while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::Utc;
use reqwest::Method;
use steading_core::config::Config;
use steading_core::runtime::RuntimeId;
use steading_core::workspace::{Limits, Wishes};
use steading_core::{Desired, Facts, Generation, Owner, Phase, Slug, Source, UserId, Workspace, WorkspaceId};
use steading_store::Store;
use steading_tests::{Api, Steading};

use crate::report::{Goal, Row, median, ms, quantile};

const WORKSPACES: usize = 10_000;
/// Lists in a round.
const LISTS: usize = 200;
/// 50 a second.
const BETWEEN_WRITES: Duration = Duration::from_millis(20);
/// What the 99th of 100 may take, in milliseconds.
const LIMIT: f64 = 10.0;

/// Measures the row.
pub async fn run(rounds: usize) -> Result<Vec<Row>> {
    let folder = crate::stage::folder()?;
    let slugs = fill(folder.path()).await?;
    let env = [("STEADING_RUNTIME__KIND".to_owned(), "fake".to_owned())];
    let server = Steading::start(folder.path(), &env, 0)?;
    let api = server.api();
    let written = Arc::new(AtomicUsize::new(0));
    let writing = tokio::spawn(write(server.api(), slugs, written.clone()));
    let mut slow = Vec::new();
    let began = Instant::now();
    // The first round fills caches.
    for round in 0..=rounds {
        let mut times = Vec::with_capacity(LISTS);
        for _ in 0..LISTS {
            let began = Instant::now();
            let page = api.ok(Method::GET, "/workspaces?page=200&per_page=50", None).await?;
            times.push(ms(began.elapsed()));
            if page["items"].as_array().map(Vec::len) != Some(50) || page["total"] != WORKSPACES {
                bail!("not the page that was asked for: {} of {}", page["items"], page["total"]);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if round > 0 {
            eprintln!("list {round}: p50 {:.2} ms, p99 {:.2} ms", median(&times), quantile(&times, 0.99));
            slow.push(quantile(&times, 0.99));
        }
    }
    let rate = written.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    if writing.is_finished() {
        writing.await??;
    } else {
        writing.abort();
    }
    let of = format!("the limit, at {rate:.0} changes/s");
    Ok(vec![Row::new("list", "ms", median(&slow), LIMIT, &of, Goal::Below(1.0))])
}

/// Stops workspaces one after the other: a record, an event and a ring each.
async fn write(api: Api, slugs: Vec<Slug>, written: Arc<AtomicUsize>) -> Result<()> {
    let mut tick = tokio::time::interval(BETWEEN_WRITES);
    for slug in slugs.iter().cycle() {
        tick.tick().await;
        api.ok(Method::POST, &format!("/workspaces/{slug}/stop"), None).await?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Puts stopped workspaces into a new database.
async fn fill(folder: &std::path::Path) -> Result<Vec<Slug>> {
    let mut config = Config::default();
    config.server.data_dir = folder.to_owned();
    let store = Store::open(&config).await?;
    let owner = store.users().admin();
    let mut slugs = Vec::with_capacity(WORKSPACES);
    for _ in 0..WORKSPACES {
        let fresh = stopped(owner)?;
        store.workspaces().insert(&fresh).await?;
        slugs.push(fresh.slug);
    }
    Ok(slugs)
}

fn stopped(owner: UserId) -> Result<Workspace> {
    let now = Utc::now();
    Ok(Workspace {
        id: WorkspaceId::new(),
        slug: Slug::random(),
        owner: Owner::User(owner),
        source: Source::parse("https://git.example.com/team/project.git", false)?,
        wishes: Wishes::default(),
        runtime: RuntimeId::default(),
        desired: Desired::Stopped,
        generation: Generation(1),
        rebuilds: 0,
        spec: None,
        phase: Phase::Stopped,
        facts: Facts::default(),
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits: Limits::default(),
        entered_at: None,
        created_at: now,
        updated_at: now,
    })
}
