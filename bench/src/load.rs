//! Requests at a constant rate, whatever the answers do: each connection keeps to its own timetable, and
//! an answer that comes late makes the next request late, which counts (no coordinated omission).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is asked, and how often.
#[derive(Debug, Clone)]
pub struct Load {
    /// Who answers.
    pub address: SocketAddr,
    /// A request's head, to its empty line.
    pub request: String,
    /// Connections that are kept open.
    pub connections: u32,
    /// Requests each second, all connections together; infinite for one after the other without a pause.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
}

impl Load {
    /// Milliseconds from when each request was due to the end of its answer.
    pub fn run(&self) -> Result<Vec<f64>> {
        // One thread of its own leaves the other processors to those who are measured.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let begin = Instant::now() + Duration::from_millis(100);
            let each = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
            let runs = (0..self.connections).map(|n| {
                let first = begin + each.mul_f64(f64::from(n) / f64::from(self.connections));
                connection(self.clone(), first, each, begin + self.time)
            });
            let times = futures::future::try_join_all(runs).await?;
            Ok(times.into_iter().flatten().collect())
        })
    }
}

async fn connection(load: Load, first: Instant, each: Duration, end: Instant) -> Result<Vec<f64>> {
    let mut stream = TcpStream::connect(load.address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut due = first;
    while due < end {
        let mut begun = due;
        if Instant::now() < due {
            tokio::time::sleep_until(due.into()).await;
            // Our own clock wakes up to a millisecond late, which is nobody's fault but ours.
            begun = Instant::now();
        }
        stream.write_all(load.request.as_bytes()).await?;
        answer(&mut stream, &mut buffer).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        due = if each.is_zero() { Instant::now() } else { due + each };
    }
    Ok(times)
}

/// Reads one answer of a known length.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        if let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..head])?;
            if !text.starts_with("HTTP/1.1 200") {
                bail!("not an answer but: {}", text.lines().next().unwrap_or_default());
            }
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let whole = head + 4 + length.context("an answer without a length")?;
            while buffer.len() < whole {
                more(stream, buffer).await?;
            }
            return Ok(());
        }
        more(stream, buffer).await?;
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(buffer).await? == 0 {
        bail!("the connection was closed");
    }
    Ok(())
}
