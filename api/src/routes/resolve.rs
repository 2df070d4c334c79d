//! What would happen to a source, and why, without doing it.

use std::time::Duration;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::payload::Json;
use steading_core::access::Action;
use steading_core::queue::Job;
use steading_core::resolution::{Answer, Inquiry};
use steading_core::{Failure, report};

use super::Tag;
use super::workspaces::NewWorkspaceView;
use crate::app::App;
use crate::caller::Caller;
use crate::creation;
use crate::problem::ApiError;
use crate::views::resolution::ResolutionView;

/// Longer than a worker lets a remote be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Operations on sources.
pub struct Resolve;

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
        let inquiry = Inquiry { source, wishes: creation::wishes(&body) };
        let question = serde_json::to_value(&inquiry).map_err(|e| ApiError::internal(&e))?;
        let inquiries = app.store.inquiries();
        let id = inquiries.ask(&question).await.map_err(|e| ApiError::from_fault(&e))?;
        if let Err(error) = app.queue.nudge(Job::Resolve { inquiry: id }).await {
            tracing::warn!(error = %report::chain(&error), "the queue was not rung");
        }
        let answer = inquiries.wait(id, PATIENCE).await.map_err(|e| ApiError::from_fault(&e))?;
        let Some(answer) = answer else {
            return Err(ApiError::conflict(
                "no-answer-yet",
                "No worker has answered in time.",
                "Check that a worker runs, then ask again.",
            ));
        };
        match serde_json::from_value(answer).map_err(|e| ApiError::internal(&e))? {
            Answer::Resolved(resolution) => Ok(Json((&*resolution).into())),
            Answer::Failed(failure) => Err(failed(failure)),
        }
    }
}

fn failed(Failure { code, message, hint, .. }: Failure) -> ApiError {
    ApiError::unprocessable(&code, message, hint)
}
