//! `Idempotency-Key` on a POST: the first answer is replayed.
//!
//! Keys belong to their caller and are kept for 24 hours. Without a key two requests are two requests.
//! Answers of 500 and above are not kept: those are worth trying again. A request that makes a token cannot
//! have a key: its answer is a secret, and only hashes of tokens are ever stored.
//!
//! The work goes on when the client that asked for it is gone, so that it is done once; whoever sends the
//! request again meanwhile waits for the first answer. Only when our own process dies in between is it done
//! again: that makes no second workspace, but runs a command twice.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Body, Endpoint, IntoResponse as _, Middleware, Request, Response, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use steading_gateway::Hangup;
use steading_store::{Begun, Claim};
use tracing::Instrument as _;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{ApiError, REQUEST_ID, catch_all};

const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;

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

impl<E: Endpoint + 'static> Middleware<E> for Replay {
    type Output = WithReplay<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithReplay(Arc::new(inner))
    }
}

/// An endpoint whose POSTs can be replayed.
#[derive(Debug)]
pub struct WithReplay<E>(Arc<E>);

impl<E: Endpoint + 'static> Endpoint for WithReplay<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let key = request.headers().get(HEADER).cloned();
        match key {
            Some(key) if *request.method() == Method::POST => self.replayed(request, &key).await,
            _ => self.0.call(request).await.map(poem::IntoResponse::into_response),
        }
    }
}

impl<E: Endpoint + 'static> WithReplay<E> {
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
        if request.uri().path().ends_with("/tokens") {
            return Err(ApiError::bad_request(
                "idempotency-key-refused",
                "A request that makes a token cannot have an Idempotency-Key.",
                "Send it without. If the answer is lost, list the tokens, revoke the new one and make another.",
            )
            .into());
        }
        let body = request.take_body().into_bytes().await?;
        let mut hash = Sha256::new();
        hash.update(request.uri().path());
        hash.update([0]);
        hash.update(&body);
        let hash = hex::encode(hash.finalize());
        request.set_body(Body::from_bytes(body));

        let claim = loop {
            let keys = app.store.idempotency();
            match keys.begin(user, key, &hash).await.map_err(|e| ApiError::from_fault(&e))? {
                Begun::Fresh(claim) => break claim,
                Begun::Replay { status, body } => return Ok(replay(status, &body)),
                Begun::Busy => keys.wait(user, key).await.map_err(|e| ApiError::from_fault(&e))?,
                Begun::Mismatch => {
                    return Err(ApiError::unprocessable(
                        "idempotency-mismatch",
                        "This Idempotency-Key was used for another request.",
                        Some("Use a new key for a new request.".to_owned()),
                    )
                    .into());
                }
            }
        };
        // A task of its own outlives the connection: who comes again with the key gets the answer.
        request.extensions_mut().remove::<Hangup>();
        let id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        let work = REQUEST_ID.scope(id, answer(Arc::clone(&self.0), app, request, claim)).in_current_span();
        match tokio::spawn(work).await {
            Ok(response) => Ok(response?),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(ApiError::internal(&error).into()),
            },
        }
    }
}

/// Does the work, holds the claim meanwhile, and keeps the answer.
async fn answer<E: Endpoint>(endpoint: Arc<E>, app: App, request: Request, claim: Claim) -> Result<Response, ApiError> {
    let keys = app.store.idempotency();
    let called = tokio::select! {
        called = AssertUnwindSafe(endpoint.call(request)).catch_unwind() => called,
        never = keys.hold(&claim) => match never {},
    };
    let abandon = async || keys.abandon(&claim).await.map_err(|e| ApiError::from_fault(&e));
    let response = match called {
        Ok(Ok(response)) => response.into_response(),
        Ok(Err(error)) => catch_all(error).await,
        Err(panic) => {
            abandon().await?;
            std::panic::resume_unwind(panic);
        }
    };
    let status = response.status();
    if status.is_server_error() {
        abandon().await?;
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
    keys.finish(&claim, status.as_u16(), &kept).await.map_err(|e| ApiError::from_fault(&e))?;
    Ok(Response::from_parts(parts, Body::from_bytes(bytes)))
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
