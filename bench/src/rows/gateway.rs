//! The gateway as a proxy, signed in, against nginx in front of the same server.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::load::Load;
use crate::nginx::Nginx;
use crate::report::{Goal, Row, median, quantile};
use crate::world::World;

const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 3;
/// The part of what the slower of the two can do at which answers are timed, at both. What they can do is
/// asked again for this, in the same way: who asks at a given rate works harder than wrk, on the same machine.
const LOAD: f64 = 0.7;

/// A proxy and what to send to it.
struct Way {
    address: SocketAddr,
    headers: Vec<(&'static str, String)>,
}

/// Measures both rows.
pub async fn run(rounds: usize) -> Result<Vec<Row>> {
    let server = Nginx::kilobyte()?;
    let proxy = Nginx::proxy(server.address)?;
    let world = World::start().await?;
    let workspace = world.workspace().await?;
    let label = format!("{}-{}", server.address.port(), workspace.slug());
    let entry = world.browser().await?.enter(&label).await?;
    let headers = vec![("Host", entry.host), ("Cookie", entry.cookie)];
    let ours = Way { address: world.address.trim_start_matches("http://").parse()?, headers: headers.clone() };
    // The same request, cookie and all.
    let other = Way { address: proxy.address, headers };

    ours.throughput()?;
    other.throughput()?;
    let (mut rates, mut other_rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        rates.push(ours.throughput()?);
        other_rates.push(other.throughput()?);
    }
    let (rate, other_rate) = (median(&rates), median(&other_rates));
    let (mut most, mut other_most) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        most.push(ours.most().await?);
        other_most.push(other.most().await?);
    }
    let load = LOAD * median(&most).min(median(&other_most));
    let (mut slow, mut other_slow) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        slow.push(ours.p99(load).await?);
        other_slow.push(other.p99(load).await?);
        let last = |values: &[f64]| values.last().copied().unwrap_or_default();
        eprintln!("gateway {}: p99 {:.2} ms, nginx {:.2} ms at {load:.0}/s", round + 1, last(&slow), last(&other_slow));
    }
    let at = format!("nginx, same rate ({load:.0}/s)");
    Ok(vec![
        Row::new("gateway-throughput", "1/s", rate, other_rate, "nginx, 64 connections", Goal::AtLeast(0.8)),
        Row::new("gateway-p99", "ms", median(&slow), median(&other_slow), &at, Goal::AtMost(1.5)),
    ])
}

impl Way {
    /// Requests per second with every connection busy.
    fn throughput(&self) -> Result<f64> {
        let mut command = Command::new("wrk");
        command.args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{SECONDS}s")]);
        for (name, value) in &self.headers {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        let done = command.arg(format!("http://{}/", self.address)).output().context("wrk cannot be run")?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            bail!("not every request was answered: {text}");
        }
        let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        rate.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("wrk says no rate: {text}"))
    }

    /// Requests per second without a pause, as [`Way::p99`] asks.
    async fn most(&self) -> Result<f64> {
        let times = self.load(f64::INFINITY).await?;
        Ok(times.len() as f64 / f64::from(SECONDS))
    }

    async fn p99(&self, rate: f64) -> Result<f64> {
        Ok(quantile(&self.load(rate).await?, 0.99))
    }

    /// How long each answer took, in milliseconds.
    async fn load(&self, rate: f64) -> Result<Vec<f64>> {
        let mut request = "GET / HTTP/1.1\r\n".to_owned();
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let time = Duration::from_secs(SECONDS.into());
        let load = Load { address: self.address, request, connections: CONNECTIONS, rate, time };
        tokio::task::spawn_blocking(move || load.run()).await?
    }
}
