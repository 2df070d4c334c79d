//! Measures the list of 10,000 workspaces while others write: page 200 of 50 each, 50 writes per second.
//!
//! `cargo run --release -p steading-store --example listing` prints the quantiles in milliseconds.
//! `STEADING_DATABASE__URL` tries another database than a SQLite file in a temporary folder.

use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::json;
use steading_core::config::Config;
use steading_core::workspace::{Change, Generation, Limits, Wishes};
use steading_core::{Desired, Facts, Failure, Owner, Phase, Secret, Slug, UserId, Workspace, WorkspaceId};
use steading_store::{ListQuery, Store, StoreError};
use tokio_util::sync::CancellationToken;

const WORKSPACES: usize = 10_000;
const LISTS: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("steading-listing-{}", std::process::id()));
    let mut config = Config::default();
    config.server.data_dir.clone_from(&folder);
    config.database.url = Secret::new(std::env::var("STEADING_DATABASE__URL").unwrap_or_default());
    let store = Store::open(&config).await?;

    let owner = UserId::new();
    let mut all = Vec::with_capacity(WORKSPACES);
    for _ in 0..WORKSPACES {
        let ws = workspace(owner)?;
        store.workspaces().insert(&ws).await?;
        all.push(ws);
    }
    println!("{WORKSPACES} workspaces are there");

    let stop = CancellationToken::new();
    let writing = tokio::spawn(write(store.clone(), all, stop.clone()));
    let mut plain = Vec::new();
    let query = ListQuery { owner: Some(Owner::User(owner)), page: 200, per_page: 50, ..ListQuery::default() };
    for _ in 0..LISTS {
        let started = Instant::now();
        let page = store.workspaces().list(&query).await?;
        plain.push(started.elapsed());
        assert_eq!((page.items.len(), page.total), (50, WORKSPACES as u64));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    print("list, page 200", &mut plain);
    stop.cancel();
    print("acquire + record + release", &mut writing.await??);
    tokio::fs::remove_dir_all(folder).await?;
    Ok(())
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |quantile: f64| times.get((times.len() as f64 * quantile) as usize).copied().unwrap_or_default();
    println!("{what}: p50 {:?}, p99 {:?}, slowest {:?}", at(0.5), at(0.99), at(0.9999));
}

/// Writes as a worker does, about 50 times a second, until it is stopped.
async fn write(store: Store, all: Vec<Workspace>, stop: CancellationToken) -> Result<Vec<Duration>, StoreError> {
    let mut times = Vec::new();
    for ws in all.into_iter().cycle() {
        if stop.is_cancelled() {
            break;
        }
        let started = Instant::now();
        let leases = store.leases();
        if let Some(lease) = leases.acquire(ws.id, "bench", Duration::from_secs(10)).await? {
            let phase = if ws.phase == Phase::Running { Phase::Building } else { Phase::Starting };
            store.workspaces().record(&lease, &ws, vec![Change::Phase(phase)], vec![]).await?;
            leases.release(lease).await?;
        }
        times.push(started.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// A workspace whose document is as large as a real one's.
fn workspace(owner: UserId) -> Result<Workspace, serde_json::Error> {
    let now = chrono::Utc::now();
    let git = json!({
        "kind": "git", "url": "https://git.example.com/team/project.git", "reference": {"kind": "head"}, "path": null,
    });
    let warning = Failure {
        step: "hooks".to_owned(),
        code: "hook-failed".to_owned(),
        message: "A hook failed.".to_owned(),
        hint: None,
        retryable: false,
        output: Some("x".repeat(8_000)),
    };
    Ok(Workspace {
        id: WorkspaceId::new(),
        slug: Slug::random(),
        owner: Owner::User(owner),
        source: serde_json::from_value(git)?,
        wishes: Wishes::default(),
        runtime: Default::default(),
        desired: Desired::Running,
        generation: Generation(1),
        rebuilds: 0,
        spec: None,
        phase: Phase::Running,
        facts: Facts::default(),
        failure: None,
        warnings: vec![warning],
        retry: None,
        limits: Limits::default(),
        entered_at: None,
        created_at: now,
        updated_at: now,
    })
}
