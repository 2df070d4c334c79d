//! A terminal as the page uses it: a WebSocket.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::server::Steading;

/// Before a terminal that says nothing counts as broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal in a workspace. Dropping it cuts the connection without a farewell.
#[derive(Debug)]
pub struct Terminal {
    socket: WebSocketStream<TcpStream>,
    shown: String,
}

impl Terminal {
    /// Opens one of 80 columns and 24 rows.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open(steading: &Steading, workspace: &str) -> Result<Self> {
        let address = steading.address.trim_start_matches("http://");
        let url = format!("ws://{address}/v1/workspaces/{workspace}/terminal?columns=80&rows=24");
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", steading.token).parse()?);
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self { socket, shown: String::new() })
    }

    /// Types.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn types(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::binary(text.as_bytes().to_vec())).await?)
    }

    /// Gives it another size.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        Ok(self.socket.send(Message::text(json!({ "resize": [columns, rows] }).to_string())).await?)
    }

    /// Waits until it has shown a text, and forgets what came up to there.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn shows(&mut self, text: &str) -> Result<()> {
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return Ok(());
            }
            match self.next().await? {
                Message::Binary(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                other => bail!("{text:?} was not shown, but {:?} and then {other:?}", self.shown),
            }
        }
    }

    /// Waits for the last word, and for the farewell behind it.
    ///
    /// # Errors
    /// When either does not come.
    pub async fn last_word(&mut self) -> Result<Value> {
        loop {
            if let Message::Text(text) = self.next().await? {
                let word = serde_json::from_str(&text)?;
                return match self.next().await? {
                    Message::Close(_) => Ok(word),
                    other => bail!("behind {word} comes {other:?}"),
                };
            }
        }
    }

    async fn next(&mut self) -> Result<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        Ok(next.with_context(|| format!("silence after {:?}", self.shown))?.context("it ended without a word")??)
    }
}
