//! What is in a source, and what would happen to it, without doing it.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use steading_core::Source;
use steading_core::access::Action;
use steading_core::inquiry::{Answer, Inquiry};

use super::Tag;
use super::workspaces::NewWorkspaceView;
use crate::app::App;
use crate::caller::Caller;
use crate::creation;
use crate::inquiry::{ask, beside_the_point};
use crate::problem::ApiError;
use crate::views::refs::RefsView;
use crate::views::resolution::ResolutionView;

/// Operations on sources.
pub struct Resolve;

/// A source alone. In a body: a URL may hold a credential, and addresses of requests are logged.
#[derive(Debug, Clone, Object)]
#[oai(rename = "SourceOfRefs")]
pub struct SourceView {
    /// A Git URL, or a link to a page of a repository on a forge.
    #[oai(validator(max_length = 4096))]
    pub source: String,
}

#[OpenApi(tag = "Tag::Sources")]
impl Resolve {
    /// Says what a workspace from this source would be, and why. Makes nothing.
    #[oai(path = "/resolve", method = "post", operation_id = "resolve_source")]
    async fn resolve(
        &self,
        app: Data<&App>,
        caller: Caller,
        body: Json<NewWorkspaceView>,
    ) -> Result<Json<ResolutionView>, ApiError> {
        // Looking at a repository uses the server's credentials, as making a workspace does.
        caller.can(Action::Create)?;
        let source = creation::source(&body, app.config.may_fetch_local())?;
        let inquiry = Inquiry::Resolution { source, wishes: creation::wishes(&body) };
        match ask(&app, &inquiry).await? {
            Answer::Resolved(resolution) => Ok(Json((&*resolution).into())),
            _ => Err(beside_the_point()),
        }
    }

    /// Lists the branches and tags of a source's repository, up to 500 of each. Makes nothing.
    #[oai(path = "/refs", method = "post", operation_id = "list_refs")]
    async fn refs(&self, app: Data<&App>, caller: Caller, body: Json<SourceView>) -> Result<Json<RefsView>, ApiError> {
        caller.can(Action::Create)?;
        let source = Source::parse(&body.source, app.config.may_fetch_local())?;
        match ask(&app, &Inquiry::Refs { source }).await? {
            Answer::Refs(names) => Ok(Json(names.into())),
            _ => Err(beside_the_point()),
        }
    }
}
