//! What can be chosen where a repository has no configuration.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use steading_core::access::Action;

use super::Tag;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;

/// Operations on templates.
pub struct Templates;

/// A fallback template.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Template")]
pub struct TemplateView {
    /// Its name; pass it as `template`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
}

/// All fallback templates.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "TemplateList")]
pub struct TemplateListView {
    /// By name.
    pub items: Vec<TemplateView>,
}

#[OpenApi(tag = "Tag::Sources")]
impl Templates {
    /// Lists the fallback templates.
    #[oai(path = "/templates", method = "get", operation_id = "list_templates")]
    async fn list(&self, app: Data<&App>, caller: Caller) -> Result<Json<TemplateListView>, ApiError> {
        caller.can(Action::View)?;
        let items = app.templates.iter().cloned().collect();
        Ok(Json(TemplateListView { items }))
    }
}
