//! API tokens.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use steading_core::access::Scope;

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Scope", rename_all = "kebab-case")]
pub enum ScopeView {
    /// Everything its owner may do.
    All,
    /// Looking, never changing.
    Read,
    /// Registering prebuilds, nothing else: for CI.
    Prebuild,
}

impl From<ScopeView> for Scope {
    fn from(view: ScopeView) -> Self {
        match view {
            ScopeView::All => Self::All,
            ScopeView::Read => Self::Read,
            ScopeView::Prebuild => Self::Prebuild,
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Read => Self::Read,
            Scope::Prebuild => Self::Prebuild,
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "NewToken")]
pub struct NewTokenView {
    /// What it is for, for people.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it may be used for; everything if absent.
    pub scope: Option<ScopeView>,
    /// Days until it ends; never if absent.
    #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
    pub days: Option<u32>,
}

/// A token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Token")]
pub struct TokenView {
    /// `tok_…`
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scope: ScopeView,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token that was just made: the only time its text is shown.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "CreatedToken")]
pub struct CreatedTokenView {
    /// `tok_…`
    pub id: String,
    /// The text to send as `Authorization: Bearer`. Only its hash is kept.
    pub token: String,
}

/// All tokens of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "TokenList")]
pub struct TokenListView {
    /// Newest first.
    pub items: Vec<TokenView>,
}
