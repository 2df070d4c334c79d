//! Work on a thread of its own, whose output is followed and which ends when nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steading_core::log::LogSink;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::error::GitError;

/// What work on a thread knows of those who wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    lines: UnboundedSender<String>,
    cancelled: Arc<AtomicBool>,
}

impl Reporter {
    /// Tells of progress. The caller says few lines, so the channel needs no bound.
    pub fn line(&self, text: String) {
        let _ = self.lines.send(text);
    }

    /// Whether nobody waits any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Sets the flag when the waiting ends, in whichever way.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs blocking work on a thread of its own. Its lines go to `log` as `stream`.
pub(crate) async fn blocking<T, F>(log: &dyn LogSink, stream: &str, work: F) -> Result<T, GitError>
where
    T: Send + 'static,
    F: FnOnce(Reporter) -> Result<T, GitError> + Send + 'static,
{
    let (lines, mut heard) = unbounded_channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let reporter = Reporter { lines, cancelled: cancelled.clone() };
    let _waiting = Waiting(cancelled);
    let mut work = tokio::task::spawn_blocking(move || work(reporter));
    let done = loop {
        tokio::select! {
            biased;
            Some(line) = heard.recv() => log.write(stream, &line),
            done = &mut work => break done,
        }
    };
    while let Ok(line) = heard.try_recv() {
        log.write(stream, &line);
    }
    done.unwrap_or_else(|error| {
        Err(if error.is_cancelled() { GitError::Cancelled } else { GitError::Cache("the work broke off".to_owned()) })
    })
}
