//! Commands in a workspace: who runs them, where, with what environment, and how their output is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt as _;
use steading_core::runtime::{Chunk, Exec, Process, RuntimeError};
use steading_core::{Phase, Workspace};
use steading_gateway::Hangup;
use tokio::io::AsyncWriteExt as _;

use crate::app::App;
use crate::caller::{Enter, Granted};
use crate::frames;
use crate::problem::ApiError;
use crate::views::exec::{ExecResultView, ExecView};

/// So much of each stream is kept.
const STREAM_LIMIT: usize = 1 << 20;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// A stream's beginning, and whether there was more.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let room = STREAM_LIMIT - self.bytes.len();
        self.truncated |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn text(self) -> (String, bool) {
        (String::from_utf8_lossy(&self.bytes).into_owned(), self.truncated)
    }
}

/// What a person's command looks like to the runtime: as the remote user, in the opened folder, with the
/// environment that the user's shell makes (`userEnvProbe`) and `remoteEnv`, unless the request says otherwise.
///
/// The helper inside changes user and environment, and ends the command when nobody waits for it any more. Values
/// travel in the exec's environment, because command lines are public in a container.
#[must_use]
pub fn command(workspace: &Workspace, view: &ExecView) -> Exec {
    let program = match view.cmd.as_slice() {
        [script] => vec!["/bin/sh".to_owned(), "-c".to_owned(), script.clone()],
        argv => argv.to_vec(),
    };
    let spec = workspace.spec_in_use();
    let user = view.user.clone().or_else(|| spec.map(|s| s.remote_user.clone()));
    let folder = view.workdir.clone().or_else(|| spec.map(|s| s.opened().to_owned()));
    let folder = folder.or_else(|| workspace.facts.root.clone());
    let mut words: Vec<String> = ["/opt/steading/bin/inside", "run"].map(str::to_owned).to_vec();
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option("--user", user.as_deref().unwrap_or("0"));
    option("--cwd", folder.as_deref().unwrap_or("/"));
    option("--probe", spec.map_or("none", |s| s.env_probe.as_str()));
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in spec.iter().flat_map(|s| &s.remote_env) {
        match value {
            Some(value) => drop(env.insert(name.clone(), value.clone())),
            None => option("--unset", name),
        }
    }
    env.extend(view.env.clone());
    for name in env.keys() {
        option("--pass", name);
    }
    words.push("--".to_owned());
    words.extend(program);
    Exec { container: None, command: words, user: Some("0".to_owned()), folder: None, env, tty: None, stdin: true }
}

/// Says so when there is no container to enter. After a rebuild that failed the container from before may
/// still be there: it is the only way to the files, and to the configuration that has to be mended.
pub fn check_enterable(workspace: &Workspace) -> Result<(), ApiError> {
    let may_have_one =
        workspace.spec_in_use().is_some() || (workspace.phase == Phase::Failed && workspace.facts.populated.is_some());
    if may_have_one && !matches!(workspace.phase, Phase::Stopped | Phase::Stopping | Phase::Deleting) {
        return Ok(());
    }
    Err(not_running(workspace))
}

fn not_running(workspace: &Workspace) -> ApiError {
    ApiError::conflict(
        "workspace-not-running",
        format!("The workspace is {}.", workspace.phase),
        "Start it and wait until it is running.",
    )
}

/// Refuses what no process can be given, rather than let the engine stumble over it.
fn check_sayable(view: &ExecView) -> Result<(), ApiError> {
    let refuse = |message: String, hint: &str| Err(ApiError::bad_request("exec-malformed", message, hint));
    let words = view.cmd.iter().chain(&view.workdir).chain(&view.user);
    if words.chain(view.env.values()).any(|text| text.contains('\0')) {
        return refuse("A command and its environment cannot contain NUL.".to_owned(), "Send such bytes by `stdin`.");
    }
    match view.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        Some(name) => refuse(format!("{name:?} cannot name a variable."), "A name is not empty and has no `=`."),
        None => Ok(()),
    }
}

/// Runs a command to its end, or until whoever asked for it has hung up.
pub async fn run(
    app: &App,
    granted: &Granted<Enter>,
    view: ExecView,
    hangup: Option<&Hangup>,
) -> Result<ExecResultView, ApiError> {
    let workspace = granted.workspace();
    check_sayable(&view)?;
    check_enterable(workspace)?;
    let timeout = view.timeout_seconds.map_or(DEFAULT_TIMEOUT, |s| Duration::from_secs(s.into()));
    let process = app.runtime.exec(granted.id(), command(workspace, &view)).await;
    let process = process.map_err(|error| match error {
        RuntimeError::Gone => not_running(workspace),
        other => ApiError::from_fault(&other),
    })?;
    let hung_up = async {
        match hangup {
            Some(hangup) => hangup.ended().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(timeout, collect(process, view.stdin)) => ended,
        () = hung_up => return Err(ApiError::unprocessable(
            "exec-abandoned",
            "The command was ended, because its client closed its side of the connection.",
            Some("Keep it open until the answer has come, or give an Idempotency-Key.".to_owned()),
        )),
    };
    match ended {
        Ok(result) => result.map_err(|error| ApiError::from_fault(&error)),
        Err(_) => Err(ApiError::unprocessable(
            "exec-timeout",
            format!("The command did not end within {} seconds.", timeout.as_secs()),
            Some("It was ended. Give a longer `timeout_seconds`, or start it in the background with nohup.".to_owned()),
        )),
    }
}

async fn collect(mut process: Process, stdin: Option<String>) -> Result<ExecResultView, RuntimeError> {
    let input = process.stdin.take();
    // Input and output flow at once: a command that answers while it reads must not stall.
    let feed = async move {
        if let Some(mut input) = input {
            // A command that stops reading early is no error of ours.
            let mut all = BytesMut::new();
            frames::data(stdin.unwrap_or_default().as_bytes(), &mut all);
            frames::end(&mut all);
            let _ = input.write_all(&all).await;
            let _ = input.flush().await;
            // As long as it is open, somebody waits.
            std::future::pending::<()>().await;
        }
        std::future::pending::<()>().await;
    };
    let drain = async {
        let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
        while let Some(Ok(chunk)) = process.output.next().await {
            match chunk {
                Chunk::Stdout(bytes) => stdout.push(&bytes),
                Chunk::Stderr(bytes) => stderr.push(&bytes),
            }
        }
        (stdout, stderr)
    };
    // The output's end is the end: what the command did not read by then it never will.
    let (stdout, stderr) = tokio::select! {
        () = feed => (Kept::default(), Kept::default()),
        kept = drain => kept,
    };
    let exit_code = process.control.exit_code().await?;
    let ((stdout, stdout_truncated), (stderr, stderr_truncated)) = (stdout.text(), stderr.text());
    Ok(ExecResultView { exit_code, stdout, stderr, stdout_truncated, stderr_truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_and_marked() {
        let mut kept = Kept::default();
        kept.push(&vec![b'x'; STREAM_LIMIT]);
        assert!(!kept.truncated);
        kept.push(b"y");
        let (text, truncated) = kept.text();
        assert_eq!((text.len(), truncated), (STREAM_LIMIT, true));
    }
}
