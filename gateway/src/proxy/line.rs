//! One HTTP connection into a container.
//!
//! It is driven by whoever uses it, inside the same task: a request costs no hop to another thread. While
//! nobody uses it, nobody drives it; that it was closed meanwhile shows when it is taken up again.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use steading_core::runtime::Duplex;

use super::body::Outgoing;

type Driver = Connection<TokioIo<Box<dyn Duplex>>, Outgoing>;

/// The largest head of an answer, and the most that is read ahead.
const BUFFER: usize = 64 << 10;

/// One HTTP connection into a container.
pub struct Line {
    sender: SendRequest<Outgoing>,
    /// Absent once it has ended, or when a task of its own drives it.
    driver: Option<Pin<Box<Driver>>>,
}

impl Line {
    /// Speaks HTTP/1.1 over a stream.
    pub async fn new(stream: Box<dyn Duplex>) -> hyper::Result<Self> {
        let (sender, driver) = Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Moves the connection on. Says whether there is anything new to look at: `false` if the connection
    /// is not driven here.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        if let Poll::Ready(end) = driver.as_mut().poll(cx) {
            if let Err(error) = end {
                tracing::debug!(%error, "a connection into a workspace ended");
            }
            self.driver = None;
        }
        true
    }

    /// Whether another request may be sent; called before a used connection is used again.
    pub async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll(cx);
            Poll::Ready(self.sender.is_ready())
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        poll_fn(|cx| {
            if driver.as_mut().is_some_and(|d| d.as_mut().poll(cx).is_ready()) {
                *driver = None;
            }
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Gives the connection a task of its own: an upload must go on even while nobody reads the answer.
    pub fn detach(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(driver);
        }
    }
}

/// Sends a request that asks for another protocol. The second part resolves if the container agrees.
pub async fn send_upgrade(
    stream: Box<dyn Duplex>,
    request: Request<Outgoing>,
) -> hyper::Result<(Response<Incoming>, impl Future<Output = hyper::Result<Upgraded>> + Send + 'static)> {
    let (mut sender, driver) = Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver.with_upgrades());
    let mut response = sender.send_request(request).await?;
    let upgraded = hyper::upgrade::on(&mut response);
    Ok((response, upgraded))
}
