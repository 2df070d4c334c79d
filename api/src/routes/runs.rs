//! Running commands in a workspace.

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;

use super::Tag;
use crate::app::App;
use crate::caller::{self, Caller, Granted};
use crate::exec;
use crate::problem::ApiError;
use crate::views::exec::{ExecResultView, ExecView};

/// Operations that run commands.
pub struct Runs;

#[OpenApi(tag = "Tag::Workspaces")]
impl Runs {
    /// Runs a command and waits for it. Each stream is cut after 1 MiB and marked. The command is ended when the
    /// client hangs up; with an Idempotency-Key it goes on, and whoever sends the key again gets its answer.
    #[oai(path = "/workspaces/:name/exec", method = "post", operation_id = "exec_in_workspace")]
    async fn exec(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
        request: &Request,
        body: Json<ExecView>,
    ) -> Result<Json<ExecResultView>, ApiError> {
        let granted: Granted<caller::Enter> = caller.may(&app, &name).await?;
        Ok(Json(exec::run(&app, &granted, body.0, request.extensions().get()).await?))
    }
}
