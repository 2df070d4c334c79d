//! After an upgrade: bytes both ways, unread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::{Instant, interval_at};

use super::stay::Stay;
use crate::pulse::Beat;

/// Held for each direction of each tunnel while it is open.
const BUFFER: usize = 16 << 10;

/// Between looks at a tunnel: whether its user may still be there, whether it still lives.
const LOOK: Duration = Duration::from_secs(60);

/// Counts what is read from one side, and remembers its end.
struct Counted<T> {
    inner: T,
    beat: Option<Arc<Beat>>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    bytes: AtomicU64,
    ended: AtomicBool,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        if read == 0 {
            self.seen.ended.store(true, Ordering::Relaxed);
        } else {
            self.seen.bytes.fetch_add(read as u64, Ordering::Relaxed);
            if let Some(beat) = &self.beat {
                beat.count(read);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Carries bytes until both sides have ended, one breaks, or the user may no longer stay.
///
/// A side that ends is passed on as such and the other may go on; if it stays silent for a whole look, the
/// tunnel is closed, or vanished clients would pile up.
pub async fn carry<C, S>(client: C, server: S, beat: Arc<Beat>, mut stay: Stay)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let seen = Arc::new(Seen::default());
    let mut client = Counted { inner: client, beat: Some(beat), seen: Arc::clone(&seen) };
    let mut server = Counted { inner: server, beat: None, seen: Arc::clone(&seen) };
    let guard = async {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        let mut before = None;
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let now = seen.ended.load(Ordering::Relaxed).then(|| seen.bytes.load(Ordering::Relaxed));
                    if now.is_some() && now == before {
                        break;
                    }
                    before = now;
                }
                () = stay.doubted() => {}
            }
            if !stay.is_allowed().await {
                break;
            }
        }
    };
    // Whatever ends it, both sides are dropped, and with them their sockets.
    tokio::select! {
        _ = copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER) => {}
        () = guard => {}
    }
}
