//! A terminal in a workspace, over a WebSocket.
//!
//! Binary messages are bytes of the terminal in both directions. Text messages are JSON: from the
//! browser `{"resize": [columns, rows]}` and `{"drawn": bytes}`, from the server `{"exit": code}` or
//! `{"problem": {…}}` before it closes.
//!
//! `drawn` is how many bytes have been dealt with since the beginning. Whoever says it once, at first 0, is sent
//! at most a MiB beyond it: a browser takes whatever comes, and keeps in memory what it has not drawn. Who never
//! says it is sent everything at once.
//!
//! The terminal itself belongs to `inside term`, which takes [`frames`] and
//! hangs up on the shell when they end: whatever becomes of the browser, of this server or of what lies between.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures::stream::{BoxStream, SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use poem::web::websocket::{Message, WebSocket, WebSocketStream};
use poem::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use steading_core::runtime::{Chunk, Exec, Process, RuntimeError};
use steading_core::{Workspace, report};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};

use super::stay::Stay;
use crate::app::App;
use crate::caller::{Enter, Granted};
use crate::exec::check_enterable;
use crate::frames;
use crate::problem::ApiError;

/// A browser that takes nothing gets no farewell after so long.
const FAREWELL: Duration = Duration::from_secs(5);
/// So much typed input may wait for a program that does not read; then the browser waits too.
const BACKLOG: usize = 1 << 20;

/// Columns and rows of a terminal.
pub type Size = (u16, u16);

/// So much may be on its way to a browser that says what it has drawn.
const WINDOW: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Control {
    Resize(Size),
    Drawn(u64),
}

/// What is heard from the browser about what it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    /// How much it has drawn, if it says so.
    drawn: Option<u64>,
    /// Nothing is heard until the program has read what was typed, which it may do only after it was shown.
    is_deaf: bool,
}

impl Heard {
    /// Whether more may be sent after so many bytes.
    fn lets_on(self, sent: u64) -> bool {
        self.is_deaf || self.drawn.is_none_or(|drawn| sent.saturating_sub(drawn) <= WINDOW)
    }
}

/// Starts a shell and connects it to the browser's socket, once that stands.
/// It ends with the right to `stay`.
pub async fn open(
    app: &App,
    granted: &Granted<Enter>,
    stay: Stay,
    socket: WebSocket,
    size: Size,
) -> Result<Response, ApiError> {
    check_enterable(granted.workspace())?;
    let process = app.runtime.exec(granted.id(), shell(granted.workspace(), size)).await;
    let process = process.map_err(|e| ApiError::from_fault(&e))?;
    // The process cannot be shared between threads, as the upgrade wants it; the socket is handed over.
    let (hand_over, handed) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(stream) = handed.await {
            serve(stream, process, stay).await;
        }
    });
    let upgraded = socket.on_upgrade(|stream| async move { drop(hand_over.send(stream)) });
    Ok(upgraded.into_response())
}

/// The remote user's login shell in the opened folder.
fn shell(workspace: &Workspace, (columns, rows): Size) -> Exec {
    let spec = workspace.spec_in_use();
    let text = |t: &str| t.to_owned();
    let mut env: BTreeMap<String, String> = spec
        .map(|s| s.remote_env.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect())
        .unwrap_or_default();
    env.entry(text("TERM")).or_insert_with(|| text("xterm-256color"));
    env.entry(text("COLORTERM")).or_insert_with(|| text("truecolor"));
    let user = spec.map_or("0", |s| s.remote_user.as_str());
    let folder = spec.map(steading_core::pod::PodSpec::opened).or(workspace.facts.root.as_deref()).unwrap_or("/");
    let size = format!("{}x{}", columns.max(1), rows.max(1));
    let mut command =
        ["/opt/steading/bin/inside", "term", "--user", user, "--cwd", folder, "--size", &size].map(text).to_vec();
    for name in env.keys() {
        command.extend([text("--pass"), name.clone()]);
    }
    Exec { container: None, command, user: Some(text("0")), folder: None, env, tty: None, stdin: true }
}

async fn serve(socket: WebSocketStream, mut process: Process, stay: Stay) {
    let (mut to_browser, from_browser) = socket.split();
    let Some(stdin) = process.stdin.take() else { return };
    let (hears, heard) = watch::channel(Heard::default());
    // Each direction flows while the other waits: a program that floods its output can still be interrupted.
    let last = tokio::select! {
        shown = show(&mut process.output, &mut to_browser, heard) => match shown {
            Ok(true) => match process.control.exit_code().await {
                Ok(code) => json!({ "exit": code }),
                Err(error) => problem(&ApiError::from_fault(&error)),
            },
            Ok(false) => return,
            Err(error) => problem(&ApiError::from_fault(&RuntimeError::Unreachable(Box::new(error)))),
        },
        () = listen(from_browser, stdin, &hears) => return,
        lost = stay.lost::<Enter>() => problem(&lost),
    };
    let farewell = async {
        to_browser.send(Message::Text(last.to_string())).await?;
        to_browser.send(Message::Close(None)).await
    };
    if !matches!(tokio::time::timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
        tracing::debug!("a terminal's browser was gone before its end");
    }
}

fn problem(error: &ApiError) -> serde_json::Value {
    let problem = error.problem();
    json!({ "problem": { "code": problem.code, "message": problem.message, "hint": problem.hint } })
}

/// Passes output on; true at its end, false when the browser is gone.
async fn show(
    output: &mut BoxStream<'static, std::io::Result<Chunk>>,
    to_browser: &mut SplitSink<WebSocketStream, Message>,
    mut heard: watch::Receiver<Heard>,
) -> std::io::Result<bool> {
    let mut sent = 0;
    // What is not read the program cannot write: it waits as it would for any slow terminal.
    while heard.wait_for(|heard| heard.lets_on(sent)).await.is_ok()
        && let Some(chunk) = output.next().await
    {
        let bytes = match chunk.inspect_err(|e| tracing::debug!(error = %report::chain(e), "a terminal broke off"))? {
            Chunk::Stdout(bytes) => bytes,
            // What `inside` says before there is a terminal.
            Chunk::Stderr(bytes) => on_terminal(&bytes),
        };
        sent += bytes.len() as u64;
        if to_browser.send(Message::Binary(bytes.into())).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Plain text as a terminal wants it.
fn on_terminal(text: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(text.len() + 8);
    for byte in text {
        if *byte == b'\n' {
            bytes.put_u8(b'\r');
        }
        bytes.put_u8(*byte);
    }
    bytes.freeze()
}

/// Passes on what is typed, until the browser goes.
async fn listen(
    mut from_browser: SplitStream<WebSocketStream>,
    mut stdin: Box<dyn AsyncWrite + Send + Unpin>,
    hears: &watch::Sender<Heard>,
) {
    let (mut typed, mut is_heard) = (BytesMut::new(), true);
    let hear = |change: &dyn Fn(&mut Heard)| {
        hears.send_if_modified(|heard| {
            let before = *heard;
            change(heard);
            *heard != before
        })
    };
    loop {
        hear(&|heard| heard.is_deaf = typed.len() >= BACKLOG);
        tokio::select! {
            wrote = stdin.write(&typed), if !typed.is_empty() => match wrote {
                Ok(count) if count > 0 => typed.advance(count),
                // It has ended; its last output and its exit code are still to come.
                _ => (is_heard, typed) = (false, BytesMut::new()),
            },
            message = from_browser.next(), if typed.len() < BACKLOG => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(Control::Drawn(drawn)) => drop(hear(&|heard| heard.drawn = Some(drawn))),
                    Ok(Control::Resize(size)) if is_heard => frames::size(size.0, size.1, &mut typed),
                    Ok(Control::Resize(_)) | Err(_) => {}
                },
                Some(Ok(Message::Binary(bytes))) if is_heard => frames::data(&bytes, &mut typed),
                Some(Ok(_)) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_says_what_was_drawn_is_waited_for() {
        let heard = |drawn| Heard { drawn, is_deaf: false };
        assert!(heard(None).lets_on(u64::MAX), "a client of before");
        assert!(heard(Some(0)).lets_on(WINDOW) && !heard(Some(0)).lets_on(WINDOW + 1));
        assert!(heard(Some(1)).lets_on(WINDOW + 1) && heard(Some(u64::MAX)).lets_on(5));
        // What is typed and not read keeps the browser's words back: both would wait for each other.
        assert!(Heard { drawn: Some(0), is_deaf: true }.lets_on(u64::MAX));
    }

    #[test]
    fn plain_text_does_not_run_down_the_stairs() {
        assert_eq!(on_terminal(b"a\nb\n"), b"a\r\nb\r\n"[..]);
    }
}
