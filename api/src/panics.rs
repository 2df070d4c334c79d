//! A panic is our own fault, and still an answer.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use poem::http::StatusCode;
use poem::{Endpoint, Middleware, Request, Response, Result};
use steading_gateway::{Notice, RequestId, is_page_wanted};

/// Answers for what panics.
#[derive(Debug, Clone, Copy)]
pub struct Panics;

impl<E: Endpoint> Middleware<E> for Panics {
    type Output = WithoutPanics<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithoutPanics(inner)
    }
}

/// An endpoint that answers even if it panics.
#[derive(Debug)]
pub struct WithoutPanics<E>(E);

impl<E: Endpoint> Endpoint for WithoutPanics<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (as_page, id) = (is_page_wanted(&request), request.extensions().get::<RequestId>().copied());
        match AssertUnwindSafe(self.0.call(request)).catch_unwind().await {
            Ok(answer) => answer.map(poem::IntoResponse::into_response),
            Err(panic) => {
                let id_text = id.map(|id| id.to_string());
                tracing::error!(request.id = id_text, error = text(&*panic), "a request panicked");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let notice = Notice::new(status, "internal", "Something went wrong", "Something went wrong.");
                Ok(notice.with_hint("Look for the request id in the server's log.").show(as_page, id))
            }
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}
