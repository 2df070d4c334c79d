//! Output of commands: to the workspace's log by lines, and the last of it for a failure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use steading_core::log::LogSink;
use steading_core::runtime::{Chunk, Process, RuntimeError};

/// How many of the last lines a failure shows.
const LAST: usize = 40;
/// Longer lines are cut there.
const LONGEST: usize = 500;
/// A line that never ends is passed on in pieces of this size.
const PIECE: usize = 8 << 10;

/// The last lines of something.
#[derive(Debug, Default)]
pub(crate) struct Last(VecDeque<String>);

impl Last {
    pub(crate) fn add(&mut self, text: &str) {
        for line in text.lines() {
            if self.0.len() == LAST {
                self.0.pop_front();
            }
            self.0.push_back(line.chars().take(LONGEST).collect());
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Passes output on and remembers the last of it.
pub(crate) struct Watched {
    sink: Arc<dyn LogSink>,
    last: Mutex<Last>,
}

impl Watched {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        Self { sink, last: Mutex::default() }
    }

    /// The last lines so far.
    pub(crate) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

impl LogSink for Watched {
    fn write(&self, stream: &str, text: &str) {
        self.sink.write(stream, text);
        self.last.lock().unwrap_or_else(PoisonError::into_inner).add(text);
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) exit: i64,
    /// The last of its output.
    pub(crate) last: String,
}

/// Follows a command to its end; its output goes to a stream of the log, or nowhere.
pub(crate) async fn follow(mut process: Process, to: Option<(&dyn LogSink, &str)>) -> Result<Ended, RuntimeError> {
    let mut last = Last::default();
    // The two streams of output may break lines at different places.
    let mut partial = [Vec::new(), Vec::new()];
    while let Some(chunk) = process.output.next().await {
        let (bytes, which) = match chunk {
            Ok(Chunk::Stdout(bytes)) => (bytes, 0),
            Ok(Chunk::Stderr(bytes)) => (bytes, 1),
            Err(error) => return Err(RuntimeError::Unreachable(Box::new(error))),
        };
        let partial = &mut partial[which];
        partial.extend_from_slice(&bytes);
        let whole = match partial.iter().rposition(|b| *b == b'\n') {
            Some(end) => end + 1,
            None if partial.len() > PIECE => partial.len(),
            None => continue,
        };
        let lines: Vec<u8> = partial.drain(..whole).collect();
        tell(&lines, &mut last, to);
    }
    for rest in partial {
        tell(&rest, &mut last, to);
    }
    Ok(Ended { exit: process.control.exit_code().await?, last: last.text() })
}

fn tell(bytes: &[u8], last: &mut Last, to: Option<(&dyn LogSink, &str)>) {
    if bytes.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    last.add(text);
    if let Some((sink, stream)) = to {
        sink.write(stream, text);
    }
}

/// Runs a command to its end and gives what it printed on standard output.
pub(crate) async fn collect(mut process: Process) -> Result<(i64, String), RuntimeError> {
    let mut text = Vec::new();
    while let Some(chunk) = process.output.next().await {
        match chunk {
            Ok(Chunk::Stdout(bytes)) if text.len() < (4 << 20) => text.extend_from_slice(&bytes),
            Ok(_) => {}
            Err(error) => return Err(RuntimeError::Unreachable(Box::new(error))),
        }
    }
    Ok((process.control.exit_code().await?, String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut last = Last::default();
        for n in 0..100 {
            last.add(&format!("line {n}\n"));
        }
        let text = last.text();
        assert_eq!((text.lines().count(), text.lines().next_back()), (LAST, Some("line 99")));
    }
}
