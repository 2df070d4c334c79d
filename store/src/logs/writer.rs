//! Takes output without ever making its writer wait, and writes it behind.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steading_core::log::{LogSink, Mark};
use tokio::sync::{Notify, watch};

use super::line;
use super::segment::{Appender, Pending};

/// So much output of a workspace may wait for the disk; what comes beyond is dropped and counted.
const BUDGET: usize = 4 << 20;
/// What a line costs beside its text.
const OVERHEAD: usize = 80;
/// After an error of the disk.
const PAUSE: Duration = Duration::from_secs(1);

/// The log of one workspace in this process.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) folder: PathBuf,
    waiting: Mutex<Waiting>,
    rung: Notify,
    /// Moves whenever something was written.
    written: watch::Sender<u64>,
    removed: AtomicBool,
    /// Held from taking lines to having written them: a sink that is opened while the last one's output is
    /// still being written has a task of its own, and lines stay in order.
    appender: tokio::sync::Mutex<Option<Appender>>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Pending>,
    bytes: usize,
    dropped: u64,
    /// Counts what was taken in, to know when it is written.
    taken: u64,
}

impl Log {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            waiting: Mutex::default(),
            rung: Notify::new(),
            written: watch::Sender::new(0),
            removed: AtomicBool::new(false),
            appender: tokio::sync::Mutex::new(None),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves whenever something was written by this process, or the log was removed.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Whether the log was removed.
    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Takes no more output and wakes those who wait.
    pub(super) fn close(&self) {
        self.removed.store(true, Ordering::Release);
        *self.waiting() = Waiting::default();
        self.written.send_modify(|_| ());
        self.rung.notify_one();
    }

    /// Returns once everything that was taken in so far is written.
    pub(super) async fn flush(&self) {
        let taken = self.waiting().taken;
        let mut written = self.watch();
        // It can only fail when the log is gone, and `self` holds it.
        let _ = written.wait_for(|written| *written >= taken || self.is_removed()).await;
    }

    fn take(&self) -> Option<(Vec<Pending>, u64)> {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() && waiting.dropped == 0 {
            return None;
        }
        let mut lines: Vec<_> = std::mem::take(&mut waiting.lines).into();
        waiting.bytes = 0;
        let dropped = std::mem::take(&mut waiting.dropped);
        if dropped > 0 {
            let text = format!("({dropped} lines were dropped here: output came faster than the disk takes it)");
            lines.push(Pending { stream: "log".to_owned(), text });
        }
        Some((lines, waiting.taken))
    }

    /// Takes text of a stream, as its name stands in the file.
    fn push(&self, stream: &str, text: &str) {
        if self.is_removed() {
            return;
        }
        for text in line::split(text) {
            // Before the copy: what does not fit costs nothing but a count.
            let mut waiting = self.waiting();
            if waiting.bytes > BUDGET {
                waiting.dropped += 1;
                waiting.taken += 1;
                continue;
            }
            drop(waiting);
            let text = line::printable(text);
            let mut waiting = self.waiting();
            waiting.bytes += text.len() + stream.len() + OVERHEAD;
            waiting.taken += 1;
            waiting.lines.push_back(Pending { stream: stream.to_owned(), text });
        }
        self.rung.notify_one();
    }
}

/// Writes for as long as there are sinks or output.
pub(super) async fn run(log: Arc<Log>, alive: std::sync::Weak<Sink>) {
    loop {
        // Before the look, so that what comes after it is heard.
        let rung = log.rung.notified();
        match log.write_once().await {
            Wrote::Something => {}
            Wrote::Nothing if log.is_removed() || alive.strong_count() == 0 => return,
            Wrote::Nothing => rung.await,
            Wrote::Never => return,
        }
    }
}

enum Wrote {
    Something,
    Nothing,
    /// The log was removed, or the process ends.
    Never,
}

impl Log {
    async fn write_once(&self) -> Wrote {
        let mut appender = self.appender.lock().await;
        let Some((lines, taken)) = self.take() else { return Wrote::Nothing };
        let batch = Arc::new(lines);
        loop {
            let mut own = appender.take().unwrap_or_else(|| Appender::new(self.folder.clone()));
            let lines = batch.clone();
            let done = tokio::task::spawn_blocking(move || {
                let written = own.append(&lines);
                (own, written)
            });
            let Ok((own, written)) = done.await else { return Wrote::Never };
            *appender = Some(own);
            let Err(error) = written else { break };
            // A full disk must not stop the work: memory stays bounded, what is too much is counted.
            tracing::warn!(%error, folder = %self.folder.display(), "output cannot be written");
            tokio::time::sleep(PAUSE).await;
            if self.is_removed() {
                return Wrote::Never;
            }
        }
        self.written.send_replace(taken);
        Wrote::Something
    }
}

/// What writers of output hold.
#[derive(Debug)]
pub(super) struct Sink(pub(super) Arc<Log>);

impl LogSink for Sink {
    fn write(&self, stream: &str, text: &str) {
        self.0.push(&line::stream_name(stream), text);
    }

    fn write_marked(&self, stream: &str, line: &str, mark: Mark<'_>) {
        self.0.push(&line::marked(stream, mark), line);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.rung.notify_one();
    }
}
