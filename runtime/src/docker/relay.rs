//! Many connections over one command's streams: our side of `inside relay`, whose README has the wire
//! format (`stream u32 | kind u8 | length u32 | payload`, numbers in network order).

mod frame;
mod stream;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use steading_core::runtime::Chunk;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use self::frame::{Decoder, Frame, Kind};
use self::stream::Incoming;
pub use self::stream::RelayStream;

/// Frames that wait for a slow engine; whoever sends more waits too.
const WAITING: usize = 64;

/// Why a connection did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Nothing listens there.
    Refused,
    /// The relay itself has ended.
    Over,
}

/// One relay that runs in a container. It ends when this and every stream through it are dropped.
pub struct Session {
    send: mpsc::Sender<Frame>,
    table: Arc<Table>,
    next: AtomicU32,
}

/// The streams that are open.
#[derive(Default)]
struct Table {
    streams: Mutex<HashMap<u32, Entry>>,
    over: AtomicBool,
    spoke: AtomicBool,
}

enum Entry {
    Opening(oneshot::Sender<Result<Incoming, OpenError>>),
    Open { to: mpsc::UnboundedSender<Frame>, queued: Arc<AtomicUsize> },
}

impl Session {
    /// Speaks with the relay at the other end of these streams.
    pub fn new(stdin: Box<dyn AsyncWrite + Send + Unpin>, output: BoxStream<'static, io::Result<Chunk>>) -> Self {
        let table = Arc::new(Table::default());
        let (send, receive) = mpsc::channel(WAITING);
        tokio::spawn(write(stdin, receive, table.clone()));
        tokio::spawn(read(output, table.clone(), send.downgrade()));
        Self { send, table, next: AtomicU32::new(1) }
    }

    /// Whether nothing can be opened any more.
    pub fn is_over(&self) -> bool {
        self.table.over.load(Ordering::Acquire)
    }

    /// Whether the other end never said a thing in our language: it is no relay.
    pub fn never_spoke(&self) -> bool {
        !self.table.spoke.load(Ordering::Acquire)
    }

    /// Connects to a loopback port.
    pub async fn open(&self, port: u16) -> Result<RelayStream, OpenError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.table.lock().insert(id, Entry::Opening(answer));
        if self.is_over() {
            self.table.lock().remove(&id);
            return Err(OpenError::Over);
        }
        // Whoever stops waiting here leaves an entry; the answer to it takes it away.
        let open = Frame::new(id, Kind::Open, port.to_be_bytes().to_vec());
        self.send.send(open).await.map_err(|_| OpenError::Over)?;
        let incoming = answered.await.map_err(|_| OpenError::Over)??;
        Ok(RelayStream::new(id, incoming, self.send.clone(), self.table.clone()))
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Entry>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: u32) {
        self.lock().remove(&id);
    }

    /// Hands a frame to its stream. Frames for streams that are no more are dropped.
    fn deliver(&self, frame: Frame) -> Option<Frame> {
        self.spoke.store(true, Ordering::Release);
        let mut streams = self.lock();
        match frame.kind {
            Kind::Opened => {
                let Some(Entry::Opening(answer)) = streams.remove(&frame.id) else { return None };
                let (to, frames) = mpsc::unbounded_channel();
                let queued = Arc::new(AtomicUsize::new(0));
                if answer.send(Ok(Incoming { frames, queued: queued.clone() })).is_err() {
                    // Nobody waits for it any more.
                    return Some(Frame::new(frame.id, Kind::Reset, Vec::new()));
                }
                streams.insert(frame.id, Entry::Open { to, queued });
            }
            Kind::Refused => {
                if let Some(Entry::Opening(answer)) = streams.remove(&frame.id) {
                    let _ = answer.send(Err(OpenError::Refused));
                }
            }
            Kind::Reset => {
                if let Some(Entry::Open { to, .. }) = streams.remove(&frame.id) {
                    let _ = to.send(frame);
                }
            }
            Kind::Data | Kind::End | Kind::Window => {
                let id = frame.id;
                let Some(Entry::Open { to, queued }) = streams.get(&id) else { return None };
                let bytes = if frame.kind == Kind::Data { frame.payload.len() } else { 0 };
                // More than the window is a program that means no good.
                if queued.fetch_add(bytes, Ordering::AcqRel) + bytes > frame::WINDOW || to.send(frame).is_err() {
                    streams.remove(&id);
                    return Some(Frame::new(id, Kind::Reset, Vec::new()));
                }
            }
            Kind::Open => {}
        }
        None
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.lock().clear();
    }
}

async fn write(mut stdin: Box<dyn AsyncWrite + Send + Unpin>, mut frames: mpsc::Receiver<Frame>, table: Arc<Table>) {
    let mut bytes = Vec::new();
    while let Some(frame) = frames.recv().await {
        bytes.clear();
        frame.put(&mut bytes);
        // What waits already goes out in one piece.
        while bytes.len() < frame::LONGEST
            && let Ok(frame) = frames.try_recv()
        {
            frame.put(&mut bytes);
        }
        if stdin.write_all(&bytes).await.is_err() || stdin.flush().await.is_err() {
            break;
        }
    }
    let _ = stdin.shutdown().await;
    table.end();
}

async fn read(mut output: BoxStream<'static, io::Result<Chunk>>, table: Arc<Table>, send: mpsc::WeakSender<Frame>) {
    let mut decoder = Decoder::default();
    'session: while let Some(Ok(chunk)) = output.next().await {
        let bytes = match chunk {
            Chunk::Stdout(bytes) => bytes,
            Chunk::Stderr(bytes) => {
                tracing::debug!(text = %String::from_utf8_lossy(&bytes).trim(), "the relay says");
                continue;
            }
        };
        decoder.push(&bytes);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => {
                    if let (Some(unwanted), Some(send)) = (table.deliver(frame), send.upgrade()) {
                        let _ = send.send(unwanted).await;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(error.message = %error, "a relay does not speak our language");
                    break 'session;
                }
            }
        }
    }
    table.end();
}

#[cfg(test)]
mod tests;
