//! One request to the container and its answer back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use steading_core::runtime::{Duplex, Runtime, RuntimeError};
use tokio::time::{Instant, sleep, timeout};

use super::body::{Answer, Outgoing, Over};
use super::line::Line;
use super::pool::{Door, Pool};
use crate::pulse::Beat;

/// How long a connection into a container may take to stand.
const DIAL: Duration = Duration::from_secs(10);

/// Between two tries to reach an editor that is about to listen.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The container could not be reached.
    #[error(transparent)]
    Dial(RuntimeError),
    /// It could not be reached in time.
    #[error("the workspace did not take the connection in time")]
    Slow,
    /// What listens there broke off, or does not speak HTTP.
    #[error("the connection into the workspace broke: {0}")]
    Broken(hyper::Error),
    /// It changes to another protocol though nobody asked.
    #[error("the program changed the protocol unasked")]
    Unasked,
}

/// What is sent, apart from its body.
#[derive(Clone)]
pub struct Head {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
}

impl Head {
    /// The request to send.
    pub fn with(self, body: Outgoing) -> Request<Outgoing> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers;
        request
    }
}

/// Where a request goes, and how patiently.
pub struct Target<'a> {
    pub pool: &'a Arc<Pool>,
    pub runtime: &'a dyn Runtime,
    pub door: Door,
    /// How long to go on trying while nothing listens: for the editor, which listens in a moment.
    pub patience: Duration,
}

impl Target<'_> {
    /// A new stream to the door.
    pub async fn dial(&self) -> Result<Box<dyn Duplex>, Trouble> {
        let (id, port) = self.door;
        let until = Instant::now() + self.patience;
        loop {
            match timeout(DIAL, self.runtime.dial(id, port)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(RuntimeError::NoListener(_))) if Instant::now() + PAUSE < until => sleep(PAUSE).await,
                Ok(Err(error)) => return Err(Trouble::Dial(error)),
                Err(_) => return Err(Trouble::Slow),
            }
        }
    }

    /// Sends a request, over a waiting connection if there is one, and hands back the streaming answer.
    ///
    /// A waiting connection may have been closed at the very moment of its use. Then the request is sent
    /// once more over a new one, if nothing of it had been sent or doing it twice is doing it once.
    pub async fn exchange(&self, head: Head, body: Body) -> Result<Response<Answer>, Trouble> {
        let Body { outgoing, upload } = body;
        let replay = (matches!(outgoing, Outgoing::Empty) && head.method.is_idempotent()).then(|| head.clone());
        let mut request = head.with(outgoing);
        if let Some(mut line) = self.pool.take(self.door).await {
            match line.send(request).await {
                Ok(answer) => return Ok(self.answer(answer, line, upload.as_deref())),
                Err(mut error) => match (error.take_message(), &replay) {
                    (Some(unsent), _) => request = unsent,
                    (None, Some(head)) => request = head.clone().with(Outgoing::Empty),
                    (None, None) => return Err(Trouble::Broken(error.into_error())),
                },
            }
        }
        let until = Instant::now() + self.patience;
        loop {
            let mut line = Line::new(self.dial().await?).await.map_err(Trouble::Broken)?;
            match (line.send(request).await, &replay) {
                (Ok(answer), _) => return Ok(self.answer(answer, line, upload.as_deref())),
                // A relay may accept before the editor behind it listens.
                (Err(_), Some(head)) if Instant::now() + PAUSE < until => {
                    request = head.clone().with(Outgoing::Empty);
                    sleep(PAUSE).await;
                }
                (Err(error), _) => return Err(Trouble::Broken(error.into_error())),
            }
        }
    }

    fn answer(&self, answer: Response<Incoming>, mut line: Line, upload: Option<&AtomicBool>) -> Response<Answer> {
        // An answer may begin before the upload has ended.
        if upload.is_some_and(|over| !over.load(Ordering::Relaxed)) {
            line.detach();
        }
        let home = (Arc::clone(self.pool), self.door);
        answer.map(|body| Answer::new(body, line, home))
    }
}

/// A client's body as it is forwarded.
pub struct Body {
    pub outgoing: Outgoing,
    /// Set when it is over; absent if there is none.
    upload: Option<Arc<AtomicBool>>,
}

impl Body {
    /// Counts the body's bytes as they pass.
    pub fn new(body: poem::Body, beat: &Arc<Beat>) -> Self {
        if body.is_empty() {
            return Self { outgoing: Outgoing::Empty, upload: None };
        }
        let (flag, over) = Over::new();
        let outgoing = Outgoing::Stream { body: body.into(), beat: Arc::clone(beat), over };
        Self { outgoing, upload: Some(flag) }
    }
}
