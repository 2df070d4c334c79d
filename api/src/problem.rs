//! The HTTP form of an error: `application/problem+json` (RFC 9457) with a stable code and a hint.

use std::borrow::Cow;
use std::time::Duration;

use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object};
use steading_core::fault::{Class, Fault};
use steading_core::report;

/// What went wrong, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Problem {
    /// The HTTP status again.
    pub status: u16,
    /// Stable, kebab-case; safe to match on.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    #[oai(skip_serializing_if_is_none)]
    pub hint: Option<String>,
    /// Find it again in the server's log.
    pub request_id: String,
}

/// Every way an operation can fail; some by its own doing, some before it is asked ([`catch_all`]).
#[derive(Debug, ApiResponse)]
pub enum ApiError {
    /// The request does not make sense.
    #[oai(status = 400, content_type = "application/problem+json")]
    BadRequest(Json<Problem>),
    /// No credential, or one that does not hold.
    #[oai(status = 401, content_type = "application/problem+json")]
    Unauthorized(Json<Problem>),
    /// A credential that holds, for something else.
    #[oai(status = 403, content_type = "application/problem+json")]
    Forbidden(Json<Problem>),
    /// There is no such thing, or it is not yours.
    #[oai(status = 404, content_type = "application/problem+json")]
    NotFound(Json<Problem>),
    /// The path takes no such method.
    #[oai(status = 405, content_type = "application/problem+json")]
    MethodNotAllowed(Json<Problem>),
    /// It took too long to arrive.
    #[oai(status = 408, content_type = "application/problem+json")]
    TooSlow(Json<Problem>),
    /// It cannot be done in the present state.
    #[oai(status = 409, content_type = "application/problem+json")]
    Conflict(Json<Problem>),
    /// The request is larger than any may be.
    #[oai(status = 413, content_type = "application/problem+json")]
    TooLarge(Json<Problem>),
    /// The request's body is not JSON, or does not say so.
    #[oai(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Json<Problem>),
    /// The request makes sense and still cannot be carried out.
    #[oai(status = 422, content_type = "application/problem+json")]
    Unprocessable(Json<Problem>),
    /// Our own fault.
    #[oai(status = 500, content_type = "application/problem+json")]
    Internal(Json<Problem>),
    /// Something we depend on does not answer.
    #[oai(status = 503, content_type = "application/problem+json")]
    Unavailable(Json<Problem>),
}

tokio::task_local! {
    /// The id of the request that is being answered.
    pub static REQUEST_ID: String;
}

fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

fn body(status: StatusCode, code: &str, message: impl Into<String>, hint: Option<String>) -> Json<Problem> {
    Json(Problem {
        status: status.as_u16(),
        code: code.to_owned(),
        message: message.into(),
        hint,
        request_id: request_id(),
    })
}

impl ApiError {
    /// 400, with a hint.
    pub fn bad_request(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::BadRequest(body(StatusCode::BAD_REQUEST, code, message, Some(hint.into())))
    }

    /// 401: what to show instead.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        let hint = "Send `Authorization: Bearer <token>`, or sign in with the link that the server printed.";
        Self::Unauthorized(body(StatusCode::UNAUTHORIZED, "not-signed-in", message, Some(hint.to_owned())))
    }

    /// 403.
    pub fn forbidden(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Forbidden(body(StatusCode::FORBIDDEN, code, message, Some(hint.into())))
    }

    /// 404. The same for what does not exist and for what is not yours.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        let hint = format!("List what there is; a deleted {what} is gone for good.");
        let code = format!("{}-not-found", what.replace(' ', "-"));
        Self::NotFound(body(StatusCode::NOT_FOUND, &code, format!("There is no such {what}."), Some(hint)))
    }

    /// 408: what was to be read did not come within that time.
    #[must_use]
    pub fn too_slow(patience: Duration) -> Self {
        let message = format!("The request did not arrive within {} s.", patience.as_secs());
        let hint = "Send it again, over a better connection or in smaller parts.".to_owned();
        Self::TooSlow(body(StatusCode::REQUEST_TIMEOUT, "body-too-slow", message, Some(hint)))
    }

    /// 413: more than so many bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let most = if limit < 1 << 20 { format!("{} KiB", limit >> 10) } else { format!("{} MiB", limit >> 20) };
        let message = format!("The request is larger than {most}.");
        let hint = "Send less in one request; large data goes into a workspace by its terminal.".to_owned();
        Self::TooLarge(body(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", message, Some(hint)))
    }

    /// 409.
    pub fn conflict(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Conflict(body(StatusCode::CONFLICT, code, message, Some(hint.into())))
    }

    /// 422.
    pub fn unprocessable(code: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self::Unprocessable(body(StatusCode::UNPROCESSABLE_ENTITY, code, message, hint))
    }

    /// 503.
    pub fn unavailable(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unavailable(body(StatusCode::SERVICE_UNAVAILABLE, code, message, Some(hint.into())))
    }

    /// The answer for a fault below: its class decides the status, its text and hint are passed on,
    /// its causes go to the log only.
    pub fn from_fault(fault: &(dyn Fault + '_)) -> Self {
        tracing::warn!(code = fault.code(), error = %report::chain_of(fault), "an operation failed");
        let (code, message, hint) = (fault.code(), fault.to_string(), fault.hint());
        match fault.class() {
            Class::Transient => Self::Unavailable(body(StatusCode::SERVICE_UNAVAILABLE, code, message, hint)),
            Class::Permanent => Self::unprocessable(code, message, hint),
            Class::Denied => Self::Forbidden(body(StatusCode::FORBIDDEN, code, message, hint)),
        }
    }

    /// The problem itself.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        match self {
            Self::BadRequest(p)
            | Self::Unauthorized(p)
            | Self::Forbidden(p)
            | Self::NotFound(p)
            | Self::MethodNotAllowed(p)
            | Self::TooSlow(p)
            | Self::Conflict(p)
            | Self::TooLarge(p)
            | Self::UnsupportedMediaType(p)
            | Self::Unprocessable(p)
            | Self::Internal(p)
            | Self::Unavailable(p) => &p.0,
        }
    }

    /// Its sentence.
    #[must_use]
    pub const fn message(&self) -> &str {
        self.problem().message.as_str()
    }

    /// 500: the text goes to the log, the id to the person.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + '_)) -> Self {
        tracing::error!(error = %report::chain(error), "an operation failed");
        let hint = "Look for the request id in the server's log.".to_owned();
        Self::Internal(body(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong.", Some(hint)))
    }
}

/// Turns every error that poem raises by itself (no route, a body that is not JSON, …) into a Problem.
/// Errors that are ours already have their response and pass through.
pub async fn catch_all(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let status = error.status();
    let (code, hint): (&str, Cow<'static, str>) = match status {
        StatusCode::NOT_FOUND => ("no-such-path", "See /docs for what there is.".into()),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "See /docs for what this path takes.".into()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported-media-type", "Send `Content-Type: application/json`.".into())
        }
        s if s.is_client_error() => ("bad-request", "See /docs for what this operation takes.".into()),
        _ => ("internal", "Look for the request id in the server's log.".into()),
    };
    let message = if status.is_server_error() {
        tracing::error!(error = %error, "a request failed");
        "Something went wrong.".to_owned()
    } else {
        error.to_string()
    };
    let mut response = body(status, code, message, Some(hint.into_owned())).into_response();
    response.set_status(status);
    response.headers_mut().insert("content-type", poem::http::HeaderValue::from_static("application/problem+json"));
    response
}
