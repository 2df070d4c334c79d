//! One connection through a relay, with credit in both directions.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Table;
use super::frame::{Frame, Kind, WINDOW};
use super::line::{Credit, Line, Next};

/// What the caller's end holds before we stop reading for it.
const PIPE: usize = 64 << 10;
/// Credit is given back in pieces of at least this size.
const PIECE: usize = WINDOW / 4;
/// How long the other end may take to finish after the caller has gone away.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection to a loopback port of a container.
pub struct RelayStream {
    pipe: DuplexStream,
    _gone: DropGuard,
}

impl RelayStream {
    pub(super) fn new(id: u32, line: Arc<Line>, send: mpsc::Sender<Frame>, table: Arc<Table>) -> Self {
        let (pipe, far) = tokio::io::duplex(PIPE);
        let gone = CancellationToken::new();
        tokio::spawn(pump(id, far, line, send, table, gone.clone()));
        Self { pipe, _gone: gone.drop_guard() }
    }
}

async fn pump(
    id: u32,
    far: DuplexStream,
    line: Arc<Line>,
    send: mpsc::Sender<Frame>,
    table: Arc<Table>,
    gone: CancellationToken,
) {
    let (read, write) = tokio::io::split(far);
    let farewell = async {
        gone.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    let sent = CancellationToken::new();
    let up = async {
        let _sent = sent.clone().drop_guard();
        up(id, read, &send, &line.credit).await
    };
    let both = async { tokio::try_join!(up, down(id, write, &line, &send, &sent)) };
    let clean = tokio::select! {
        result = both => result.is_ok(),
        () = farewell => false,
    };
    table.forget(id);
    if !clean {
        let _ = send.send(Frame::new(id, Kind::Reset, Vec::new())).await;
    }
}

/// From the caller to the container.
async fn up(id: u32, mut read: impl AsyncRead + Unpin, send: &mpsc::Sender<Frame>, credit: &Credit) -> io::Result<()> {
    let over = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let mut buffer = vec![0; 32 << 10];
    loop {
        let most = credit.some().await.min(buffer.len());
        let count = read.read(&mut buffer[..most]).await?;
        if count == 0 {
            return send.send(Frame::new(id, Kind::End, Vec::new())).await.map_err(over);
        }
        credit.spend(count);
        send.send(Frame::new(id, Kind::Data, buffer[..count].to_vec())).await.map_err(over)?;
    }
}

/// From the container to the caller.
async fn down(
    id: u32,
    mut write: impl AsyncWrite + Unpin,
    line: &Line,
    send: &mpsc::Sender<Frame>,
    sent: &CancellationToken,
) -> io::Result<()> {
    let mut owed = 0;
    loop {
        match line.inbox.next().await {
            Next::Bytes(bytes) => {
                // A caller that went away reads no more; the container may still say its last words.
                let _ = write.write_all(&bytes).await;
                owed += bytes.len();
                if owed >= PIECE {
                    let number = u32::try_from(owed).unwrap_or(u32::MAX);
                    let window = Frame::new(id, Kind::Window, number.to_be_bytes().to_vec());
                    send.send(window).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
                    owed = 0;
                }
            }
            Next::Finished => {
                let _ = write.shutdown().await;
                return tokio::select! {
                    () = sent.cancelled() => Ok(()),
                    () = line.inbox.gone() => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                };
            }
            Next::Cut => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        }
    }
}

impl AsyncRead for RelayStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for RelayStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
