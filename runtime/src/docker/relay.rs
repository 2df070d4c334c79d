//! Many connections over one command's streams: our side of `inside relay`, whose README has the wire
//! format (`stream u32 | kind u8 | length u32 | payload`, numbers in network order).

mod frame;
mod line;
mod stream;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use steading_core::runtime::Chunk;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use self::frame::{Decoder, Frame, Kind};
use self::line::Line;
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
    babbled: AtomicBool,
}

enum Entry {
    Opening(oneshot::Sender<Result<Arc<Line>, OpenError>>),
    Open(Arc<Line>),
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

    /// Whether the other end said a thing in our language.
    pub fn spoke(&self) -> bool {
        self.table.spoke.load(Ordering::Acquire)
    }

    /// Whether it said something in another.
    pub fn babbled(&self) -> bool {
        self.table.babbled.load(Ordering::Acquire)
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
        let line = answered.await.map_err(|_| OpenError::Over)??;
        Ok(RelayStream::new(id, line, self.send.clone(), self.table.clone()))
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Entry>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: u32) {
        self.lock().remove(&id);
    }

    /// Hands a frame to its stream, and says what to answer. Frames for streams that are no more are dropped.
    fn deliver(&self, frame: &Frame) -> Option<Frame> {
        self.spoke.store(true, Ordering::Release);
        let id = frame.id;
        let mut streams = self.lock();
        let fine = match (streams.get(&id)?, frame.kind) {
            (Entry::Opening(_), Kind::Opened) => {
                let Some(Entry::Opening(answer)) = streams.remove(&id) else { return None };
                let line = Arc::new(Line::new());
                streams.insert(id, Entry::Open(line.clone()));
                // Nobody may wait for it any more.
                answer.send(Ok(line)).is_ok()
            }
            (Entry::Opening(_), Kind::Refused | Kind::Reset) => {
                if let Some(Entry::Opening(answer)) = streams.remove(&id) {
                    let _ = answer.send(Err(OpenError::Refused));
                }
                true
            }
            (Entry::Open(line), Kind::Reset) => {
                line.inbox.cut();
                streams.remove(&id);
                true
            }
            // More than the window is a program that means no good.
            (Entry::Open(line), Kind::Data) => line.inbox.put(&frame.payload),
            (Entry::Open(line), Kind::End) => {
                line.inbox.finish();
                true
            }
            (Entry::Open(line), Kind::Window) => {
                line.credit.add(frame.number());
                true
            }
            _ => true,
        };
        if fine {
            return None;
        }
        if let Some(Entry::Open(line)) = streams.remove(&id) {
            line.inbox.cut();
        }
        Some(Frame::new(id, Kind::Reset, Vec::new()))
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        for (_, entry) in self.lock().drain() {
            if let Entry::Open(line) = entry {
                line.inbox.cut();
            }
        }
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
                    if let (Some(unwanted), Some(send)) = (table.deliver(&frame), send.upgrade()) {
                        let _ = send.send(unwanted).await;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    table.babbled.store(true, Ordering::Release);
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
