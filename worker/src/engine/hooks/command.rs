//! One command of a hook: started or followed, its output told once, to its own end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use steading_core::WorkspaceId;
use steading_core::log::LogSink;
use steading_core::runtime::{Chunk, Process, Result, Runtime, RuntimeError};
use steading_store::Store;

use super::transcript::Transcript;
use crate::inside::{self, Call};

/// Before a call that ended while its hook goes on is made again.
const PAUSE: Duration = Duration::from_millis(100);

/// How a command ended. What the helper exits with says less: every code may be the command's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum End {
    /// By itself, with this code.
    Exit(i64),
    /// It was ended when its time was up.
    TimedOut,
    /// With its container or its runner; nobody knows how far it came.
    Lost,
}

impl End {
    pub(in crate::engine) const SUCCESS: Self = Self::Exit(0);

    /// As the story tells it: what `timeout` and a shell would say.
    pub(in crate::engine) const fn code(self) -> i64 {
        match self {
            Self::Exit(code) => code,
            Self::TimedOut => 124,
            Self::Lost => 125,
        }
    }
}

/// An end with the last output before it.
#[derive(Debug)]
pub(in crate::engine) struct Ended {
    pub(in crate::engine) end: End,
    pub(in crate::engine) last: String,
}

/// What of a command is left to follow.
pub(super) struct Left {
    pub(super) runs: bool,
    /// It runs, or has ended by itself.
    pub(super) is_there: bool,
    /// It has ended and printed what the log does not have.
    pub(super) is_missing: bool,
}

/// One command of a hook.
pub(in crate::engine) struct Command {
    pub(in crate::engine) runtime: Arc<dyn Runtime>,
    pub(in crate::engine) store: Store,
    pub(in crate::engine) log: Arc<dyn LogSink>,
    pub(in crate::engine) id: WorkspaceId,
    /// Under which the helper runs it once.
    pub(in crate::engine) key: String,
    /// What names its output for ever: the container and the key.
    pub(in crate::engine) source: String,
    /// The stream of the log.
    pub(in crate::engine) stream: String,
    /// What stands above its output.
    pub(in crate::engine) title: String,
    /// As whom it runs, and for how long at most.
    pub(in crate::engine) options: Call,
    /// What runs.
    pub(in crate::engine) argv: Vec<String>,
    /// Whether it is started where it was not yet.
    pub(in crate::engine) begins: bool,
}

/// What the helper knows of a command.
struct Known {
    /// `absent`, `running`, `done` or `lost`.
    state: String,
    /// How much it has printed.
    bytes: u64,
    /// How much of that the log has.
    upto: Option<u64>,
}

impl Command {
    /// Starts it, or follows it if it runs, to its own end: neither a broken stream nor a call that was
    /// killed is one. `may_run` says that a driver before us may have started it.
    pub(in crate::engine) async fn follow(self, may_run: bool) -> Result<Ended> {
        let known = if may_run { self.known().await? } else { None };
        let mut transcript = Transcript::new(self.log.clone(), &self.stream, &self.source, known);
        if known.is_none() {
            transcript.title(&self.title);
        }
        loop {
            let from = transcript.reopen().to_string();
            let process = inside::call(self.runtime.as_ref(), self.id, self.call(&from)).await?;
            let exit = listen(process, &mut transcript).await?;
            if exit == 0 {
                return Ok(Ended { end: End::SUCCESS, last: transcript.close() });
            }
            // The call may have ended otherwise than the hook, killed for want of memory or with the
            // container; the helper knows.
            let told = inside::ask(self.runtime.as_ref(), self.id, &["hook", "status", &self.key]).await?;
            let told = told.unwrap_or_default();
            let end = match (told["state"].as_str(), told["exit"].as_i64()) {
                (Some("running"), _) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                (Some("lost"), _) => End::Lost,
                (Some("done"), Some(_)) if told["timed_out"] == true => End::TimedOut,
                (Some("done"), Some(exit)) => End::Exit(exit),
                // It never began: the helper's own words say why.
                _ => End::Exit(exit),
            };
            return Ok(Ended { end, last: transcript.close() });
        }
    }

    fn call(&self, from: &str) -> Call {
        if !self.begins {
            return Call::new(&["hook", "follow", &self.key, "--alone", "--from", from]);
        }
        let call = Call::new(&["hook", "run", "--key", &self.key, "--again", "--alone", "--from", from]);
        call.and(self.options.clone()).running(self.argv.clone())
    }

    /// How much of its output the log has; `None` if it begins, or begins anew.
    async fn known(&self) -> Result<Option<u64>> {
        let known = self.look().await?;
        Ok(match known.state.as_str() {
            "running" | "done" => known.upto,
            // Its title may be there already.
            _ => known.upto.filter(|upto| *upto == 0),
        })
    }

    async fn look(&self) -> Result<Known> {
        let told = inside::ask(self.runtime.as_ref(), self.id, &["hook", "status", &self.key]).await?;
        let told = told.unwrap_or_default();
        let upto = self.store.logs().upto(self.id, &self.source).await.unwrap_or_else(|error| {
            tracing::warn!(workspace.id = %self.id, error = %steading_core::report::chain(&error), "the log cannot be read");
            None
        });
        let state = told["state"].as_str().unwrap_or("absent").to_owned();
        Ok(Known { state, bytes: told["bytes"].as_u64().unwrap_or_default(), upto })
    }

    /// What of it is left to follow.
    pub(super) async fn is_left(&self) -> Result<Left> {
        let known = self.look().await?;
        let (runs, is_done) = (known.state == "running", known.state == "done");
        // Of what was dropped from the log as too old, nothing is missing.
        let is_missing = is_done && known.upto.is_some_and(|upto| upto < known.bytes);
        Ok(Left { runs, is_there: runs || is_done, is_missing })
    }
}

/// Passes on what a call prints; its exit code.
async fn listen(mut process: Process, transcript: &mut Transcript) -> Result<i64> {
    while let Some(chunk) = process.output.next().await {
        match chunk {
            Ok(Chunk::Stdout(bytes)) => transcript.take(&bytes),
            Ok(Chunk::Stderr(bytes)) => transcript.aside(&bytes),
            Err(error) => return Err(RuntimeError::Unreachable(Box::new(error))),
        }
    }
    process.control.exit_code().await
}
