//! What the two ends of a stream owe each other. Nothing here grows with what the other end sends: bytes wait
//! as bytes, up to the window, and everything else is a number or a mark.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::frame::WINDOW;

/// One stream, as the session and the stream's own task see it.
pub struct Line {
    /// What came from the container.
    pub inbox: Inbox,
    /// What may go there.
    pub credit: Credit,
}

impl Line {
    /// A stream that was opened just now.
    pub fn new() -> Self {
        Self { inbox: Inbox::default(), credit: Credit { left: AtomicUsize::new(WINDOW), more: Notify::new() } }
    }
}

/// Bytes that we may still send.
pub struct Credit {
    left: AtomicUsize,
    more: Notify,
}

impl Credit {
    /// How many there are, as soon as there are any.
    pub async fn some(&self) -> usize {
        loop {
            match self.left.load(Ordering::Acquire) {
                0 => self.more.notified().await,
                left => return left,
            }
        }
    }

    /// So many were sent.
    pub fn spend(&self, bytes: usize) {
        self.left.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// So many more may be sent.
    pub fn add(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::AcqRel);
        self.more.notify_one();
    }
}

/// Bytes that came and wait to be taken.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    waiting: BytesMut,
    /// So many were taken last and are not with the caller yet.
    taken: usize,
    finished: bool,
    cut: bool,
}

/// What comes next from the container.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Bytes.
    Bytes(Bytes),
    /// No more of them.
    Finished,
    /// The stream is gone.
    Cut,
}

impl Inbox {
    /// Takes in what came; `false` if it is more than was asked for, or comes after the end.
    pub fn put(&self, bytes: &[u8]) -> bool {
        let mut state = self.lock();
        if state.finished || state.waiting.len() + state.taken + bytes.len() > WINDOW {
            return false;
        }
        state.waiting.extend_from_slice(bytes);
        drop(state);
        self.news.notify_one();
        true
    }

    /// No more will come.
    pub fn finish(&self) {
        self.lock().finished = true;
        self.news.notify_one();
    }

    /// The stream is gone; what came before is still good.
    pub fn cut(&self) {
        self.lock().cut = true;
        self.news.notify_one();
    }

    /// Everything that waits. What was taken before counts as delivered from now on.
    pub async fn next(&self) -> Next {
        loop {
            let news = self.news.notified();
            {
                let mut state = self.lock();
                state.taken = state.waiting.len();
                if state.taken > 0 {
                    return Next::Bytes(state.waiting.split().freeze());
                }
                if state.finished {
                    return Next::Finished;
                }
                if state.cut {
                    return Next::Cut;
                }
            }
            news.await;
        }
    }

    /// Waits until the stream is gone.
    pub async fn gone(&self) {
        loop {
            let news = self.news.notified();
            if self.lock().cut {
                return;
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_never_more_than_the_window() {
        let inbox = Inbox::default();
        assert!(inbox.put(&vec![0; WINDOW - 1]) && inbox.put(b"") && inbox.put(b"x"));
        assert!(!inbox.put(b"y"), "one byte more than the window");
        let Next::Bytes(taken) = inbox.next().await else { panic!("bytes were put in") };
        assert_eq!(taken.len(), WINDOW);
        assert!(!inbox.put(b"y"), "what is on its way to the caller waits, too");
        inbox.finish();
        inbox.finish();
        assert_eq!(inbox.next().await, Next::Finished);
        assert!(!inbox.put(b"y"), "bytes after the end");
        inbox.cut();
        inbox.gone().await;
    }

    #[tokio::test]
    async fn single_bytes_wait_together() {
        let inbox = Inbox::default();
        for _ in 0..WINDOW {
            assert!(inbox.put(b"."));
        }
        inbox.cut();
        assert!(matches!(inbox.next().await, Next::Bytes(all) if all.len() == WINDOW));
        assert_eq!(inbox.next().await, Next::Cut);
    }
}
