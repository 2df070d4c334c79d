//! A terminal in a workspace, over a WebSocket.
//!
//! Binary messages are bytes of the terminal in both directions. Text messages are JSON: from the
//! browser `{"resize": [columns, rows]}`, from the server `{"exit": code}` or `{"problem": {…}}` before
//! it closes.

use std::collections::BTreeMap;

use bytes::{Buf as _, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use poem::web::websocket::{Message, WebSocket, WebSocketStream};
use poem::{IntoResponse as _, Response};
use serde::Deserialize;
use steading_core::runtime::{Chunk, Exec, Process};
use steading_core::{Workspace, report};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::oneshot;

use crate::app::App;
use crate::caller::{Enter, Granted};
use crate::exec::check_enterable;
use crate::problem::ApiError;

/// So much typed input may wait for a program that does not read; then the browser waits too.
const BACKLOG: usize = 1 << 20;

/// Columns and rows of a terminal.
pub type Size = (u16, u16);

#[derive(Debug, Deserialize)]
struct Control {
    resize: Size,
}

/// Starts a shell and connects it to the browser's socket, once that stands.
pub async fn open(app: &App, granted: &Granted<Enter>, socket: WebSocket, size: Size) -> Result<Response, ApiError> {
    check_enterable(granted.workspace())?;
    let process = app.runtime.exec(granted.id(), shell(granted.workspace(), size)).await;
    let process = process.map_err(|e| ApiError::from_fault(&e))?;
    // The process cannot be shared between threads, as the upgrade wants it; the socket is handed over.
    let (hand_over, handed) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(stream) = handed.await {
            serve(stream, process).await;
        }
    });
    let upgraded = socket.on_upgrade(|stream| async move { drop(hand_over.send(stream)) });
    Ok(upgraded.into_response())
}

/// The remote user's login shell in the opened folder.
fn shell(workspace: &Workspace, size: Size) -> Exec {
    let spec = workspace.spec_in_use();
    let text = |t: &str| t.to_owned();
    let mut env: BTreeMap<String, String> = spec
        .map(|s| s.remote_env.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect())
        .unwrap_or_default();
    env.entry(text("TERM")).or_insert_with(|| text("xterm-256color"));
    env.entry(text("COLORTERM")).or_insert_with(|| text("truecolor"));
    let user = spec.map_or("0", |s| s.remote_user.as_str());
    let folder = spec.map(|s| s.workspace_folder.as_str()).or(workspace.facts.root.as_deref()).unwrap_or("/");
    let mut command = ["/opt/steading/bin/inside", "term", "--user", user, "--cwd", folder].map(text).to_vec();
    for name in env.keys() {
        command.extend([text("--pass"), name.clone()]);
    }
    Exec { container: None, command, user: Some(text("0")), folder: None, env, tty: Some(size), stdin: true }
}

async fn serve(socket: WebSocketStream, mut process: Process) {
    let (mut to_browser, mut from_browser) = socket.split();
    let Some(mut stdin) = process.stdin.take() else { return };
    let (mut typed, mut is_heard) = (BytesMut::new(), true);
    loop {
        tokio::select! {
            // Output flows while input waits: a program that answers as it reads must not stall itself.
            wrote = stdin.write(&typed), if !typed.is_empty() => match wrote {
                Ok(count) if count > 0 => typed.advance(count),
                // It has ended; its last output and its exit code are still to come.
                _ => (is_heard, typed) = (false, BytesMut::new()),
            },
            chunk = process.output.next() => match chunk {
                Some(Ok(Chunk::Stdout(bytes) | Chunk::Stderr(bytes))) => {
                    if to_browser.send(Message::Binary(bytes.into())).await.is_err() {
                        break;
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(error = %report::chain(&error), "a terminal broke off");
                    break;
                }
                None => {
                    let code = process.control.exit_code().await.unwrap_or(-1);
                    let _ = to_browser.send(Message::Text(format!("{{\"exit\":{code}}}"))).await;
                    let _ = to_browser.send(Message::Close(None)).await;
                    break;
                }
            },
            message = from_browser.next(), if typed.len() < BACKLOG => match message {
                Some(Ok(Message::Binary(bytes))) if is_heard => typed.extend_from_slice(&bytes),
                Some(Ok(Message::Text(text))) => {
                    if let Ok(Control { resize: (columns, rows) }) = serde_json::from_str(&text)
                        && let Err(error) = process.control.resize(columns.max(1), rows.max(1)).await
                    {
                        tracing::debug!(error = %report::chain(&error), "a terminal kept its size");
                    }
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        }
    }
    // The shell sees its terminal close and ends.
    let _ = stdin.shutdown().await;
}
