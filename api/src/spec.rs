//! The OpenAPI document.

use poem_openapi::{OpenApi, OpenApiService};

use crate::routes;

/// The service: title, version, where it is mounted.
pub fn service<T: OpenApi>(routes: T) -> OpenApiService<T, ()> {
    OpenApiService::new(routes, "Steading", env!("CARGO_PKG_VERSION"))
        .description(
            "Self-hosted cloud development environments: paste a Git URL, work in the browser. \
             Errors are `application/problem+json` with a stable `code` and a `hint`. \
             An `Idempotency-Key` header on a POST replays the first answer for 24 hours; while that is still \
             being made, it is waited for.",
        )
        .server("/v1")
}

/// The document as JSON text. The front end's client types are generated from it.
#[must_use]
pub fn document() -> String {
    service(routes::all()).spec()
}
