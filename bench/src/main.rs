//! Measures what Steading promises about its speed; `script/bench` sets up what it needs and runs it.
//!
//!     steading-bench [NAME…] [--rounds N] [--json FILE]
//!
//! Everything is held against something else in the same run, in turns, so that a machine that is busy
//! with other things is busy for both.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is there to print")]

mod browser;
mod engine;
mod load;
mod nginx;
mod report;
mod rows;
mod stage;
mod world;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::report::Row;

/// As in the binary itself: the server on the runtime in memory is this program, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can be measured, in this order.
const NAMES: [&str; 7] = ["launch-root", "launch-uid", "restart", "gateway", "websocket-echo", "list", "memory"];
/// Medians are of so many, unless more are asked for.
const ROUNDS: usize = 10;
/// Of launches more, so that the 95th of 100 is not simply the slowest.
const LAUNCHES: usize = 20;

struct Wish {
    names: Vec<String>,
    rounds: Option<usize>,
    json: Option<PathBuf>,
}

fn wish(words: impl IntoIterator<Item = String>) -> Result<Wish> {
    let mut wish = Wish { names: Vec::new(), rounds: None, json: None };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => wish.json = Some(words.next().context("--json wants a file")?.into()),
            "--rounds" => wish.rounds = Some(words.next().context("--rounds wants a number")?.parse()?),
            name if NAMES.contains(&name) => wish.names.push(word),
            _ => bail!("there is no {word}; measure {}", NAMES.join(", ")),
        }
    }
    if wish.names.is_empty() {
        wish.names = NAMES.map(str::to_owned).to_vec();
    }
    Ok(wish)
}

async fn measure(name: &str, rounds: Option<usize>) -> Result<Vec<Row>> {
    match name {
        "restart" => rows::restart::run(rounds.unwrap_or(ROUNDS)).await,
        "gateway" => rows::gateway::run(rounds.unwrap_or(ROUNDS)).await,
        "websocket-echo" => rows::websocket::run(rounds.unwrap_or(ROUNDS)).await,
        "list" => rows::list::run(rounds.unwrap_or(ROUNDS)).await,
        "memory" => rows::memory::run(rounds.unwrap_or(ROUNDS)).await,
        launch => rows::launch::run(launch, rounds.unwrap_or(LAUNCHES)).await,
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "world").is_some() {
        return world::serve(words.next().context("world wants a folder")?.into()).await;
    }
    let wish = wish(words)?;
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for name in &wish.names {
        eprintln!("measuring {name}");
        // One that breaks does not take the others' figures with it.
        match measure(name, wish.rounds).await {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                broken.push(name.as_str());
            }
        }
        if let Ok(engine) = engine::Engine::here() {
            engine.clear().await;
        }
    }
    report::print(&rows);
    if let Some(file) = wish.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    if !broken.is_empty() {
        bail!("not measured: {}", broken.join(", "));
    }
    Ok(())
}
