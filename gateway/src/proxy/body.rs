//! The two bodies of one exchange, both streamed as they come and never collected.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::line::Line;
use super::pool::{Door, Pool};
use crate::pulse::Beat;

/// A request body on its way to the container.
pub enum Outgoing {
    /// There is none.
    Empty,
    /// It comes from the client, piece by piece.
    Stream {
        /// The client's body.
        body: BoxBody<Bytes, io::Error>,
        /// Counts what passes.
        beat: Arc<Beat>,
        /// Set once all of it has passed, or nobody wants the rest.
        over: Over,
    },
}

/// Set when it is dropped: whoever holds the other end sees that a body is over.
pub struct Over(Arc<AtomicBool>);

impl Over {
    /// The flag and its setter.
    pub fn new() -> (Arc<AtomicBool>, Self) {
        let flag = Arc::new(AtomicBool::new(false));
        (Arc::clone(&flag), Self(flag))
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.set();
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self::Stream { body, beat, over } = &mut *self else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|f| f.as_ref().ok()).and_then(Frame::data_ref) {
            beat.count(data.len());
        }
        if frame.is_none() || body.is_end_stream() {
            over.set();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream { body, .. } => body.size_hint(),
        }
    }
}

/// An answer's body on its way to the client. Reading it drives the connection it comes from; when it has
/// been read to its end, the connection goes back to the pool, otherwise it is closed.
pub struct Answer(Mutex<Inner>);

struct Inner {
    body: Incoming,
    line: Option<Line>,
    home: Option<(Arc<Pool>, Door)>,
    ended: bool,
}

impl Answer {
    /// `home` is where the connection goes afterwards.
    pub fn new(body: Incoming, line: Line, home: (Arc<Pool>, Door)) -> Self {
        // The lock is never taken, only looked through: it lets a connection that may move between
        // threads, but not be shared by them, pass where both are asked for.
        Self(Mutex::new(Inner { body, line: Some(line), home: Some(home), ended: false }))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let inner = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut frame = Pin::new(&mut inner.body).poll_frame(cx);
        if frame.is_pending() && inner.line.as_mut().is_some_and(|line| line.poll(cx)) {
            frame = Pin::new(&mut inner.body).poll_frame(cx);
        }
        let frame = ready!(frame);
        inner.ended |= frame.is_none();
        Poll::Ready(frame.map(|f| f.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.size_hint()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let done = self.ended || self.body.is_end_stream();
        if let (true, Some(line), Some((pool, door))) = (done, self.line.take(), self.home.take()) {
            pool.put(door, line);
        }
    }
}
