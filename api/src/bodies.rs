//! How much a request may bring with it, and how long that may take.
//!
//! A body is read whole before anything is done with it, and after its sender has shown a credential where one
//! is asked for. Nothing of the control plane streams what it receives; what workspaces receive is the gateway's.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use poem::http::{Method, header};
use poem::{Body, Endpoint, Request, Result};
use tokio::time::timeout;

use crate::problem::ApiError;

/// For what carries a credential and little else.
pub const SMALL: usize = 16 << 10;
/// For operations: a command's standard input is the longest there is.
pub const LARGE: usize = 8 << 20;

/// The time for all of it: the largest at 1.2 Mbit/s.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who sends too much is heard out for so long, as many read no answer before they have sent everything.
const LINGER: Duration = Duration::from_secs(1);

/// An endpoint that is given bodies up to a size, whole.
pub struct Bounded<E> {
    inner: E,
    limit: usize,
    patience: Duration,
}

impl<E> Bounded<E> {
    /// At most `limit` bytes.
    pub const fn new(inner: E, limit: usize) -> Self {
        Self { inner, limit, patience: PATIENCE }
    }

    async fn read(&self, request: &mut Request) -> Result<Bytes, ApiError> {
        let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let waits_for_us = request.headers().contains_key(header::EXPECT);
        let mut body = request.take_body().into_bytes_stream();
        if announced.is_some_and(|length: u64| length > self.limit as u64) {
            if !waits_for_us {
                hear_out(body).await;
            }
            return Err(ApiError::too_large(self.limit));
        }
        let whole = timeout(self.patience, collect(&mut body, self.limit));
        let whole = whole.await.map_err(|_| ApiError::too_slow(self.patience))?;
        let whole = whole.map_err(|error| {
            tracing::debug!(%error, "a request broke off");
            ApiError::bad_request("body-incomplete", "The request broke off.", "Send it again.")
        })?;
        match whole {
            Some(whole) => Ok(whole),
            None => {
                hear_out(body).await;
                Err(ApiError::too_large(self.limit))
            }
        }
    }
}

impl<E: Endpoint> Endpoint for Bounded<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        // Nothing reads the body of a question; a WebSocket begins as one.
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let body = self.read(&mut request).await?;
            request.set_body(Body::from_bytes(body));
        }
        self.inner.call(request).await
    }
}

type Pieces<E> = Result<Bytes, E>;

/// All of it; `None` once it is longer than `limit`.
async fn collect<E>(body: &mut (impl Stream<Item = Pieces<E>> + Unpin), limit: usize) -> Result<Option<Bytes>, E> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if whole.len() + piece.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole.freeze()))
}

async fn hear_out<E>(mut body: impl Stream<Item = Pieces<E>> + Unpin) {
    let rest = async { while let Some(Ok(_)) = body.next().await {} };
    // Whoever goes on for longer loses the connection.
    let _ = timeout(LINGER, rest).await;
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use poem::endpoint::make;

    use super::*;

    async fn answer(bounded: &Bounded<impl Endpoint<Output = String>>, body: Body) -> Result<String, (u16, String)> {
        let request = Request::builder().method(Method::POST).body(body);
        bounded.call(request).await.map_err(|error| (error.status().as_u16(), error.to_string()))
    }

    #[tokio::test]
    async fn a_body_is_given_whole_or_not_at_all() {
        let length = make(async |mut request: Request| {
            Result::<String>::Ok(request.take_body().into_bytes().await?.len().to_string())
        });
        let bounded = Bounded { inner: length, limit: 10, patience: Duration::from_millis(50) };
        let pieces = |sizes: &'static [usize]| {
            let pieces = sizes.iter().map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![7; *size])));
            Body::from_bytes_stream(stream::iter(pieces))
        };
        assert_eq!(answer(&bounded, Body::empty()).await.unwrap(), "0");
        assert_eq!(answer(&bounded, pieces(&[4, 6])).await.unwrap(), "10");
        assert_eq!(answer(&bounded, pieces(&[4, 7])).await.unwrap_err().0, 413);
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
        assert_eq!(answer(&bounded, Body::from_bytes_stream(broken)).await.unwrap_err().0, 400);
        let silent = stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(answer(&bounded, Body::from_bytes_stream(silent)).await.unwrap_err().0, 408);
    }
}
