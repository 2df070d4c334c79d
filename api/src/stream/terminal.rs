//! A terminal in a workspace, over a WebSocket.
//!
//! Binary messages are bytes of the terminal in both directions. Text messages are JSON: from the
//! browser `{"resize": [columns, rows]}`, from the server `{"exit": code}` or `{"problem": {…}}` before
//! it closes.
//!
//! The terminal itself belongs to `inside term`, which takes frames (`kind u8 | length u32 | payload`) and
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
use tokio::sync::oneshot;

use super::stay::Stay;
use crate::app::App;
use crate::caller::{Enter, Granted};
use crate::exec::check_enterable;
use crate::problem::ApiError;

/// Kinds of frames to the terminal.
const DATA: u8 = 1;
const SIZE: u8 = 2;
/// Longest payload of a frame.
const LONGEST: usize = 64 << 10;
/// A browser that takes nothing gets no farewell after so long.
const FAREWELL: Duration = Duration::from_secs(5);
/// So much typed input may wait for a program that does not read; then the browser waits too.
const BACKLOG: usize = 1 << 20;

/// Columns and rows of a terminal.
pub type Size = (u16, u16);

#[derive(Debug, Deserialize)]
struct Control {
    resize: Size,
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
    // Each direction flows while the other waits: a program that floods its output can still be interrupted.
    let last = tokio::select! {
        shown = show(&mut process.output, &mut to_browser) => match shown {
            Ok(true) => match process.control.exit_code().await {
                Ok(code) => json!({ "exit": code }),
                Err(error) => problem(&ApiError::from_fault(&error)),
            },
            Ok(false) => return,
            Err(error) => problem(&ApiError::from_fault(&RuntimeError::Unreachable(Box::new(error)))),
        },
        () = listen(from_browser, stdin) => return,
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
) -> std::io::Result<bool> {
    while let Some(chunk) = output.next().await {
        let bytes = match chunk.inspect_err(|e| tracing::debug!(error = %report::chain(e), "a terminal broke off"))? {
            Chunk::Stdout(bytes) => bytes,
            // What `inside` says before there is a terminal.
            Chunk::Stderr(bytes) => on_terminal(&bytes),
        };
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
async fn listen(mut from_browser: SplitStream<WebSocketStream>, mut stdin: Box<dyn AsyncWrite + Send + Unpin>) {
    let (mut typed, mut is_heard) = (BytesMut::new(), true);
    loop {
        tokio::select! {
            wrote = stdin.write(&typed), if !typed.is_empty() => match wrote {
                Ok(count) if count > 0 => typed.advance(count),
                // It has ended; its last output and its exit code are still to come.
                _ => (is_heard, typed) = (false, BytesMut::new()),
            },
            message = from_browser.next(), if typed.len() < BACKLOG => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(message)) if is_heard => frame(&message, &mut typed),
                Some(Ok(_)) => {}
            },
        }
    }
}

/// A browser's message as frames for `inside term`.
fn frame(message: &Message, frames: &mut BytesMut) {
    match message {
        Message::Binary(bytes) => {
            for piece in bytes.chunks(LONGEST) {
                put(frames, DATA, piece);
            }
        }
        Message::Text(text) => {
            if let Ok(Control { resize: (columns, rows) }) = serde_json::from_str(text) {
                let [c0, c1] = columns.max(1).to_be_bytes();
                let [r0, r1] = rows.max(1).to_be_bytes();
                put(frames, SIZE, &[c0, c1, r0, r1]);
            }
        }
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
    }
}

fn put(frames: &mut BytesMut, kind: u8, payload: &[u8]) {
    frames.put_u8(kind);
    // No piece is longer than LONGEST.
    frames.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    frames.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(message: Message) -> BytesMut {
        let mut frames = BytesMut::new();
        frame(&message, &mut frames);
        frames
    }

    #[test]
    fn messages_become_frames() {
        assert_eq!(frames(Message::Binary(b"ls".to_vec())), [1, 0, 0, 0, 2, b'l', b's'][..]);
        assert_eq!(frames(Message::Text(r#"{"resize":[132,43]}"#.to_owned())), [2, 0, 0, 0, 4, 0, 132, 0, 43][..]);
        assert!(frames(Message::Text("nonsense".to_owned())).is_empty());
        let large = frames(Message::Binary(vec![7; LONGEST + 1]));
        assert_eq!((large.len(), &large[LONGEST + 5..]), (LONGEST + 11, &[1, 0, 0, 0, 1, 7][..]));
    }

    #[test]
    fn plain_text_does_not_run_down_the_stairs() {
        assert_eq!(on_terminal(b"a\nb\n"), b"a\r\nb\r\n"[..]);
    }
}
