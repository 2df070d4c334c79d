//! Which configuration a rebuild takes.

use steading_core::inquiry::{Answer, Inquiry};
use steading_core::resolution::choose;
use steading_core::{Workspace, WorkspaceId};

use crate::app::App;
use crate::inquiry::{ask, beside_the_point};
use crate::problem::ApiError;

/// The configurations of a workspace as it is now.
pub async fn configurations(app: &App, workspace: WorkspaceId) -> Result<Vec<String>, ApiError> {
    match ask(app, &Inquiry::Configurations { workspace }).await? {
        Answer::Configurations(paths) => Ok(paths),
        _ => Err(beside_the_point()),
    }
}

/// The path of the configuration that is wished for, or a Problem that lists those that exist.
pub async fn chosen(app: &App, workspace: &Workspace, wished: &str) -> Result<String, ApiError> {
    // Most are known from before. One that was added since is known in the workspace alone.
    let known = workspace.resolution_in_use().and_then(|resolution| choose(&resolution.choices, wished));
    if let Some(path) = known {
        return Ok(path.clone());
    }
    let there = configurations(app, workspace.id).await?;
    choose(&there, wished).cloned().ok_or_else(|| {
        let hint = match there.is_empty() {
            true => "It has none at all: leave the choice away.".to_owned(),
            false => format!("Choose one of {}.", there.join(", ")),
        };
        let message = format!("The workspace has no configuration `{wished}`.");
        ApiError::unprocessable("configuration-not-found", message, Some(hint))
    })
}
