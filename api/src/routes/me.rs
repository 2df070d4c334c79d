//! Who am I.

use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use steading_core::access::Role;

use super::Tag;
use crate::caller::Caller;
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
    async fn show(&self, caller: Caller) -> Json<MeView> {
        let principal = caller.principal();
        Json(MeView {
            user: principal.user.to_string(),
            role: match principal.role {
                Role::Admin => RoleView::Admin,
                Role::Member => RoleView::Member,
            },
            scope: principal.scope.into(),
            session: caller.session().is_some(),
        })
    }
}
