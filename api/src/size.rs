//! How large a request may be. Bodies are read whole before an operation sees them, so that none is read
//! without a limit.

use poem::error::ReadBodyError;
use poem::http::{Method, header};
use poem::{Body, Endpoint, Middleware, Request, Response, Result};

use crate::problem::ApiError;

/// The largest body, in bytes; what a command reads from its standard input is most of such a one.
pub const LARGEST: usize = 64 << 20;

/// Refuses what is larger.
#[derive(Debug, Clone, Copy)]
pub struct Limited;

impl<E: Endpoint> Middleware<E> for Limited {
    type Output = WithLimit<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithLimit(inner)
    }
}

/// An endpoint whose requests are of a size that fits.
#[derive(Debug)]
pub struct WithLimit<E>(E);

impl<E: Endpoint> Endpoint for WithLimit<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let told =
                request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            // Whoever says so is answered before anything is read.
            if told.is_some_and(|told: u64| told > LARGEST as u64) {
                return Err(ApiError::too_large(LARGEST).into());
            }
            let body = request.take_body().into_bytes_limit(LARGEST).await.map_err(|error| match error {
                ReadBodyError::PayloadTooLarge => ApiError::too_large(LARGEST).into(),
                other => poem::Error::from(other),
            })?;
            request.set_body(Body::from_bytes(body));
        }
        self.0.call(request).await.map(poem::IntoResponse::into_response)
    }
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt as _, handler};

    use super::*;

    #[handler]
    async fn length(body: Vec<u8>) -> String {
        body.len().to_string()
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_whatever_it_says_of_itself() {
        let endpoint = length.with(Limited);
        let ask = async |told: Option<usize>, size: usize| {
            let mut request = Request::builder().method(Method::POST);
            if let Some(told) = told {
                request = request.header("content-length", told);
            }
            endpoint.get_response(request.body(vec![0; size])).await
        };
        for answer in [ask(Some(LARGEST + 1), 0).await, ask(None, LARGEST + 1).await] {
            assert_eq!(answer.status(), 413);
            let text = answer.into_body().into_string().await.unwrap();
            assert!(text.contains("body-too-large") && text.contains("64 MiB"), "{text}");
        }
        assert_eq!(ask(None, LARGEST).await.into_body().into_string().await.unwrap(), LARGEST.to_string());
    }
}
