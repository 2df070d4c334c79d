//! API tokens.

use chrono::{Duration, Utc};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use steading_core::TokenId;
use steading_core::access::{Action, Scope};

use super::Tag;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::views::token::{CreatedTokenView, NewTokenView, TokenListView, TokenView};

/// Operations on tokens.
pub struct Tokens;

/// A token was made.
#[derive(ApiResponse)]
pub enum Created {
    /// The only time its text is shown.
    #[oai(status = 201)]
    Token(Json<CreatedTokenView>),
}

/// It is gone.
#[derive(ApiResponse)]
pub enum Gone {
    /// Nothing more to say.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(tag = "Tag::Access")]
impl Tokens {
    /// Makes a token.
    #[oai(path = "/tokens", method = "post", operation_id = "create_token")]
    async fn create(&self, app: Data<&App>, caller: Caller, body: Json<NewTokenView>) -> Result<Created, ApiError> {
        // Making a credential needs a credential that may do everything its owner may.
        caller.can(Action::Create)?;
        let scope = body.scope.map_or(Scope::All, Into::into);
        let expires = body.days.map(|days| Utc::now() + Duration::days(days.into()));
        let made = app.store.tokens().create(caller.principal().user, &body.name, scope, expires).await;
        let (id, token) = made.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Created::Token(Json(CreatedTokenView { id: id.to_string(), token: token.reveal().clone() })))
    }

    /// Lists your tokens, without their texts.
    #[oai(path = "/tokens", method = "get", operation_id = "list_tokens")]
    async fn list(&self, app: Data<&App>, caller: Caller) -> Result<Json<TokenListView>, ApiError> {
        caller.can(Action::View)?;
        let tokens = app.store.tokens().list(caller.principal().user).await.map_err(|e| ApiError::from_fault(&e))?;
        let items = tokens
            .into_iter()
            .map(|t| TokenView {
                id: t.id.to_string(),
                name: t.name,
                scope: t.scope.into(),
                created_at: t.created_at,
                expires_at: t.expires_at,
            })
            .collect();
        Ok(Json(TokenListView { items }))
    }

    /// Revokes a token, and ends the sessions that were opened with it, at once.
    #[oai(path = "/tokens/:id", method = "delete", operation_id = "revoke_token")]
    async fn revoke(&self, app: Data<&App>, caller: Caller, id: Path<String>) -> Result<Gone, ApiError> {
        caller.can(Action::Create)?;
        let id: TokenId = id.parse().map_err(|_| ApiError::not_found("token"))?;
        match app.store.tokens().revoke(caller.principal().user, id).await {
            Ok(()) => Ok(Gone::NoContent),
            Err(steading_store::StoreError::NotFound) => Err(ApiError::not_found("token")),
            Err(error) => Err(ApiError::from_fault(&error)),
        }
    }
}
