//! API tokens: only their hashes are kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
};
use steading_core::access::{Credential, Principal, Role, Scope};
use steading_core::{Secret, TokenId, UserId, report, ticket};

use crate::Store;
use crate::connect::{micros, moment};
use crate::error::StoreError;
use crate::rows::{read, token, word};
use crate::sessions::live_token;
use crate::users::principal;

/// How exactly the last use is kept; finer would write on every request.
const USED_EVERY: Duration = Duration::from_secs(60);

/// API tokens.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    pub(crate) store: &'a Store,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name for ever.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner called it.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; never if absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub used_at: Option<DateTime<Utc>>,
}

impl Tokens<'_> {
    /// Makes a token. The secret is shown once and not kept.
    pub async fn create(
        &self,
        user: UserId,
        name: &str,
        scope: Scope,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(TokenId, Secret<String>), StoreError> {
        let database = &self.store.inner.database;
        let (secret, hash) = ticket::mint("st_");
        let id = TokenId::new();
        let tx = database.write().await?;
        let row = token::ActiveModel {
            id: Set(id.uuid()),
            user_id: Set(user.uuid()),
            name: Set(name.to_owned()),
            hash: Set(hash),
            scope: Set(word(&scope)?),
            created_at: Set(database.clock(&tx).await?),
            expires_at: Set(expires_at.map(micros)),
            used_at: Set(None),
        };
        token::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok((id, secret))
    }

    /// A person's tokens, newest first.
    pub async fn list(&self, user: UserId) -> Result<Vec<Token>, StoreError> {
        let rows = token::Entity::find().filter(token::Column::UserId.eq(user.uuid()));
        let rows = rows.order_by_desc(token::Column::CreatedAt).order_by_desc(token::Column::Id);
        let rows = rows.all(&self.store.inner.database.reader).await?;
        rows.into_iter().map(described).collect()
    }

    /// Ends a token of this person's, and the sessions and entries that it opened.
    pub async fn revoke(&self, user: UserId, id: TokenId) -> Result<(), StoreError> {
        let tx = self.store.inner.database.write().await?;
        let gone = token::Entity::delete_many()
            .filter(token::Column::Id.eq(id.uuid()))
            .filter(token::Column::UserId.eq(user.uuid()))
            .exec(&tx)
            .await?;
        if gone.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        self.store.sessions().end_with(tx, id).await
    }

    /// Who a token stands for, unless it has expired or was revoked. The administrator's token of the
    /// configuration counts too.
    pub async fn find(&self, text: &str) -> Result<Option<(Credential, Principal)>, StoreError> {
        let inner = &self.store.inner;
        let hash = ticket::hash(text);
        if inner.admin_token.as_ref().is_some_and(|kept| ticket::same(kept, &hash)) {
            let admin = Principal { user: inner.admin, role: Role::Admin, scope: Scope::All };
            return Ok(Some((Credential::Configured, admin)));
        }
        let now = || inner.database.now();
        let found = token::Entity::find().filter(token::Column::Hash.eq(hash)).filter(live_token(&inner.database));
        let Some(row) = found.one(&inner.database.reader).await? else { return Ok(None) };
        let old = now().sub(crate::sessions::micros(USED_EVERY));
        // The reader's snapshot tells whether a write is due at all; the statement itself decides.
        if row.used_at.is_none_or(|at| moment(at) + USED_EVERY < Utc::now()) {
            let noted = token::Entity::update_many()
                .col_expr(token::Column::UsedAt, now())
                .filter(token::Column::Id.eq(row.id))
                .filter(token::Column::UsedAt.is_null().or(Expr::col(token::Column::UsedAt).lte(old)))
                .exec(inner.database.writer())
                .await;
            // With a full disk nothing is noted, and whoever comes to make room must still get in.
            if let Err(error) = noted {
                tracing::warn!(error = %report::chain(&error), "the use of a token was not noted");
            }
        }
        let credential = Credential::Token(TokenId::from_uuid(row.id));
        let principal = principal(&inner.database.reader, row.user_id, read(&row.scope)?).await?;
        Ok(principal.map(|principal| (credential, principal)))
    }
}

fn described(row: token::Model) -> Result<Token, StoreError> {
    Ok(Token {
        id: TokenId::from_uuid(row.id),
        user: UserId::from_uuid(row.user_id),
        name: row.name,
        scope: read(&row.scope)?,
        created_at: moment(row.created_at),
        expires_at: row.expires_at.map(moment),
        used_at: row.used_at.map(moment),
    })
}
