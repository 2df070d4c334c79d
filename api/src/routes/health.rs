//! Whether the server is well. Public.

use poem::web::Data;
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{Object, OpenApi};

use super::Tag;
use crate::app::App;
use crate::problem::ApiError;

/// Operations on health.
pub struct Health;

/// What the server is.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Version")]
pub struct VersionView {
    /// Always `steading`.
    pub name: String,
    /// Its version.
    pub version: String,
}

#[OpenApi(tag = "Tag::Health")]
impl Health {
    /// Answers while the process lives.
    #[oai(path = "/health/live", method = "get", operation_id = "check_live")]
    async fn live(&self) -> PlainText<&'static str> {
        PlainText("ok")
    }

    /// Answers while requests can be served: the database answers.
    #[oai(path = "/health/ready", method = "get", operation_id = "check_ready")]
    async fn ready(&self, app: Data<&App>) -> Result<PlainText<&'static str>, ApiError> {
        app.store.ping().await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(PlainText("ok"))
    }

    /// What the server is.
    #[oai(path = "/version", method = "get", operation_id = "show_version")]
    async fn version(&self) -> Json<VersionView> {
        Json(VersionView { name: "steading".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
    }
}
