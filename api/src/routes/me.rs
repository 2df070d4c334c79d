//! Who am I.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use steading_core::access::{Action, Role};

use super::Tag;
use super::tokens::Gone;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::views::token::ScopeView;

/// Operations on oneself.
pub struct Me;

/// What somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Role", rename_all = "kebab-case")]
pub enum RoleView {
    /// May do everything.
    Admin,
    /// May do everything to their own workspaces.
    Member,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Me")]
pub struct MeView {
    /// `usr_…`
    pub user: String,
    /// What they are here.
    pub role: RoleView,
    /// What the credential may be used for.
    pub scope: ScopeView,
    /// Whether a browser session was shown.
    pub session: bool,
}

#[OpenApi(tag = "Tag::Access")]
impl Me {
    /// Who you are.
    #[oai(path = "/me", method = "get", operation_id = "show_me")]
    async fn show(&self, caller: Caller) -> Result<Json<MeView>, ApiError> {
        let principal = caller.principal();
        Ok(Json(MeView {
            user: principal.user.to_string(),
            role: match principal.role {
                Role::Admin => RoleView::Admin,
                Role::Member => RoleView::Member,
            },
            scope: principal.scope.into(),
            session: caller.session().is_some(),
        }))
    }

    /// Signs you out everywhere: all your browsers, and every workspace they have open. Tokens go on.
    #[oai(path = "/sessions", method = "delete", operation_id = "delete_sessions")]
    async fn delete_sessions(&self, app: Data<&App>, caller: Caller) -> Result<Gone, ApiError> {
        // As with tokens: only a credential that may do everything ends others.
        caller.can(Action::Create)?;
        app.store.sessions().close_all(caller.principal().user).await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Gone::NoContent)
    }
}
