//! Gives each request an id that stands in the answer, in Problems and in the log.

use poem::http::HeaderValue;
use poem::{Endpoint, IntoResponse as _, Middleware, Request, Response, Result};
use steading_gateway::RequestId;
use tracing::Instrument as _;

use crate::problem::REQUEST_ID;

/// The id of a request; it gets one where it has none yet.
pub fn of(request: &mut Request) -> RequestId {
    if let Some(id) = request.extensions().get::<RequestId>() {
        return *id;
    }
    let id = RequestId::new(rand::random());
    request.extensions_mut().insert(id);
    id
}

/// Sets `X-Request-Id` and opens the request's span.
#[derive(Debug, Clone, Copy)]
pub struct Named;

impl<E: Endpoint> Middleware<E> for Named {
    type Output = WithRequestId<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithRequestId(inner)
    }
}

/// An endpoint whose requests have ids.
#[derive(Debug)]
pub struct WithRequestId<E>(E);

impl<E: Endpoint> Endpoint for WithRequestId<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = of(&mut request).to_string();
        let span =
            tracing::info_span!("request", request.id = %id, method = %request.method(), path = request.uri().path());
        let header = HeaderValue::from_str(&id).ok();
        let answer = REQUEST_ID.scope(id, self.0.call(request)).instrument(span).await;
        let mut response = match answer {
            Ok(response) => response.into_response(),
            Err(error) => error.into_response(),
        };
        if let Some(header) = header {
            response.headers_mut().insert(RequestId::HEADER, header);
        }
        Ok(response)
    }
}
