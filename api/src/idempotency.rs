//! `Idempotency-Key` on a POST: the first answer is replayed.
//!
//! Keys belong to their caller and are kept for 24 hours. Without a key two requests are two requests.
//! Answers of 500 and above are not kept: those are worth trying again. The answer that shows a new token
//! is not kept either; only hashes of tokens are ever stored.

use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Body, Endpoint, IntoResponse as _, Middleware, Request, Response, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use steading_store::Begun;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{ApiError, catch_all};

const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
const LARGEST_BODY: usize = 8 << 20;

/// The answer that is kept, besides its status.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    content_type: Option<String>,
    location: Option<String>,
    body: String,
}

/// Replays answers.
#[derive(Debug, Clone, Copy)]
pub struct Replay;

impl<E: Endpoint> Middleware<E> for Replay {
    type Output = WithReplay<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithReplay(inner)
    }
}

/// An endpoint whose POSTs can be replayed.
#[derive(Debug)]
pub struct WithReplay<E>(E);

impl<E: Endpoint> Endpoint for WithReplay<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let key = request.headers().get(HEADER).cloned();
        match key {
            Some(key) if *request.method() == Method::POST && !request.uri().path().ends_with("/tokens") => {
                self.replayed(request, &key).await
            }
            _ => self.0.call(request).await.map(poem::IntoResponse::into_response),
        }
    }
}

impl<E: Endpoint> WithReplay<E> {
    async fn replayed(&self, mut request: Request, key: &HeaderValue) -> Result<Response> {
        let Some(app) = request.data::<App>().cloned() else {
            return self.0.call(request).await.map(poem::IntoResponse::into_response);
        };
        let caller = Caller::authenticate(&app, &request).await?;
        let user = caller.principal().user;
        let key = key.to_str().ok().filter(|k| !k.is_empty() && k.len() <= LONGEST_KEY).ok_or_else(|| {
            ApiError::bad_request(
                "idempotency-key-malformed",
                "The Idempotency-Key cannot be used.",
                "Send 1 to 255 printable ASCII characters, a random UUID for example.",
            )
        })?;
        let body =
            request.take_body().into_bytes_limit(LARGEST_BODY).await.map_err(|_| {
                ApiError::bad_request("body-too-large", "The request is too large.", "Send at most 8 MiB.")
            })?;
        let mut hash = Sha256::new();
        hash.update(request.uri().path());
        hash.update([0]);
        hash.update(&body);
        let hash = hex::encode(hash.finalize());
        request.set_body(Body::from_bytes(body));

        let keys = app.store.idempotency();
        match keys.begin(user, key, &hash).await.map_err(|e| ApiError::from_fault(&e))? {
            Begun::Fresh => {}
            Begun::Replay { status, body } => return Ok(replay(status, &body)),
            Begun::Busy => {
                return Err(ApiError::conflict(
                    "idempotency-in-progress",
                    "The first request with this Idempotency-Key is still being answered.",
                    "Wait a moment and send it again.",
                )
                .into());
            }
            Begun::Mismatch => {
                return Err(ApiError::unprocessable(
                    "idempotency-mismatch",
                    "This Idempotency-Key was used for another request.",
                    Some("Use a new key for a new request.".to_owned()),
                )
                .into());
            }
        }
        let response = match self.0.call(request).await {
            Ok(response) => response.into_response(),
            Err(error) => catch_all(error).await,
        };
        let status = response.status();
        if status.is_server_error() {
            keys.abandon(user, key).await.map_err(|e| ApiError::from_fault(&e))?;
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let bytes = body.into_bytes().await.map_err(|e| ApiError::internal(&e))?;
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let kept = Kept {
            content_type: header("content-type"),
            location: header("location"),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        };
        let kept = serde_json::to_string(&kept).map_err(|e| ApiError::internal(&e))?;
        keys.finish(user, key, status.as_u16(), &kept).await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Response::from_parts(parts, Body::from_bytes(bytes)))
    }
}

fn replay(status: u16, kept: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = Response::builder().status(status).header("idempotency-replayed", "true");
    let Ok(kept) = serde_json::from_str::<Kept>(kept) else {
        return response.finish();
    };
    if let Some(kind) = kept.content_type {
        response = response.content_type(&kind);
    }
    if let Some(location) = kept.location {
        response = response.header("location", location);
    }
    response.body(kept.body)
}
