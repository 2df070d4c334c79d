//! The listener in front of API and gateway.
//!
//! Beside poem's own server it passes small writes on at once, lets a client end its side after the
//! request, gives up clients that vanish or never finish a request head, and bounds what it reads ahead.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lanes::Lanes;

/// The largest request head, and the most that is read ahead of a body.
const BUFFER: usize = 64 << 10;

/// How long a request head may take, and how long a connection waits for the next one.
const HEAD: Duration = Duration::from_secs(75);

/// How long somebody who has ended their side may wait for more of an answer.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// Prepares an accepted socket: small writes leave at once, and a peer that vanished is noticed.
///
/// # Errors
/// If the socket was closed meanwhile.
pub fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let alive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    SockRef::from(socket).set_tcp_keepalive(&alive)
}

/// Serves HTTP/1.1 until `shutdown`, then gives requests under way `grace` to end. Tunnels are not waited for.
///
/// # Errors
/// If the listener has no address.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    grace: Duration,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    E: Endpoint + 'static,
{
    let endpoint = Arc::new(endpoint);
    let local = listener.local_addr()?;
    let connections = TaskTracker::new();
    let stopping = Arc::new((Notify::new(), AtomicBool::new(false)));
    let lanes = Lanes::start()?;
    let mut builder = Builder::new();
    builder.half_close(true).max_buf_size(BUFFER).timer(TokioTimer::new()).header_read_timeout(HEAD);
    loop {
        let (socket, remote) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly: too many open files. Some will be closed in a moment.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        // The socket is taken from this thread's poller and given to that of its lane.
        let (Ok(()), Some(place)) = (tune(&socket), lanes.place()) else { continue };
        let Ok(socket) = socket.into_std() else { continue };
        let lane = place.handle.clone();
        let endpoint = Arc::clone(&endpoint);
        let closing = Arc::new(Closing::default());
        let hangup = Hangup(Arc::clone(&closing));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (endpoint, hangup) = (Arc::clone(&endpoint), hangup.clone());
            async move { Ok::<_, Infallible>(endpoint.get_response(from(request, local, remote, hangup)).await.into()) }
        });
        let (builder, stopping) = (builder.clone(), stopping.clone());
        let carry = async move {
            let _place = place;
            let Ok(socket) = TcpStream::from_std(socket) else { return };
            let socket = HalfClose { socket, closing: Arc::clone(&closing) };
            let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service).with_upgrades());
            let mut given_up = pin!(closing.given_up());
            let mut stopped = pin!(stopping.0.notified());
            let (mut waits, mut drains) = (false, false);
            // Written out, because it runs for every request: what cannot have happened is not looked at.
            poll_fn(|cx| {
                if !waits {
                    closing.task.register(cx.waker());
                }
                if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                    if let Err(error) = end {
                        tracing::debug!(%error, "a connection ended");
                    }
                    return Poll::Ready(());
                }
                if !waits {
                    waits = true;
                    let _registered = stopped.as_mut().poll(cx);
                }
                if !drains && stopping.1.load(Ordering::Acquire) {
                    drains = true;
                    connection.as_mut().graceful_shutdown();
                    cx.waker().wake_by_ref();
                }
                if closing.ended.load(Ordering::Relaxed) { given_up.as_mut().poll(cx) } else { Poll::Pending }
            })
            .await;
        };
        connections.spawn_on(carry, &lane);
    }
    stopping.1.store(true, Ordering::Release);
    stopping.0.notify_waiters();
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::debug!("some requests were still under way at the end");
    }
    Ok(())
}

fn from(request: hyper::Request<Incoming>, local: SocketAddr, remote: SocketAddr, hangup: Hangup) -> Request {
    let mut request = request;
    request.extensions_mut().insert(hangup);
    let local = LocalAddr(Addr::SocketAddr(local));
    let remote = RemoteAddr(Addr::SocketAddr(remote));
    (request, local, remote, Scheme::HTTP).into()
}

/// A socket that remembers that its peer has ended its side.
///
/// A half-closed peer looks the same as one that is gone until something is written to it. It gets its
/// answer, but a silent one is given up.
struct HalfClose {
    socket: TcpStream,
    closing: Arc<Closing>,
}

#[derive(Default)]
struct Closing {
    ended: AtomicBool,
    /// Something was written since the last look.
    written: AtomicBool,
    /// Somebody wants to know of the end while a request is under way, when nothing is read.
    is_watched: AtomicBool,
    /// The task that has the socket.
    task: AtomicWaker,
    told: Notify,
}

/// An extension of every request: tells when the client has ended its side. Most have gone then; a few only have
/// nothing more to ask, and wait for their answer.
#[derive(Clone)]
pub struct Hangup(Arc<Closing>);

impl Hangup {
    /// Resolves when the client has ended its side.
    pub async fn ended(&self) {
        let mut told = pin!(self.0.told.notified());
        // Registered before the look, so that nothing falls between the two.
        told.as_mut().enable();
        self.0.is_watched.store(true, Ordering::Release);
        self.0.task.wake();
        if !self.0.ended.load(Ordering::Acquire) {
            told.await;
        }
    }
}

impl Closing {
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Resolves when nothing could be written to the peer for a while.
    async fn given_up(&self) {
        loop {
            self.written.store(false, Ordering::Relaxed);
            tokio::time::sleep(HALF_CLOSED).await;
            if !self.written.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

impl AsyncRead for HalfClose {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before && buf.remaining() > 0 {
            self.closing.end();
        }
        read
    }
}

impl AsyncWrite for HalfClose {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.closing.written.store(true, Ordering::Relaxed);
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.closing.written.store(true, Ordering::Relaxed);
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Called whenever the connection is looked at, so that this is the place to watch it.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_watched.load(Ordering::Acquire) {
            let mut next = [0];
            let peeked = self.socket.poll_peek(cx, &mut ReadBuf::new(&mut next));
            if matches!(peeked, Poll::Ready(Ok(0) | Err(_))) {
                self.closing.end();
            }
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
