//! How a signed-in browser enters a workspace's own host: a one-time ticket bound to the host's label,
//! traded there for a cookie that is good for this host alone and ends with the session that made it.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
};
use steading_core::access::{Credential, Principal, Scope};
use steading_core::{Secret, UserId, ticket as secret};

use crate::Store;
use crate::error::StoreError;
use crate::rows::{entry, session, ticket, token};
use crate::sessions::{live_token, micros};
use crate::users::principal;

/// How long a ticket can be redeemed: a redirect takes less.
const TICKET: Duration = Duration::from_secs(60);
/// How long an entry lasts at most that no session made.
const ENTRY: Duration = Duration::from_secs(12 * 3600);

/// Entry to workspace hosts.
#[derive(Debug, Clone, Copy)]
pub struct Tickets<'a> {
    pub(crate) store: &'a Store,
}

/// The workspace's name in a label: `3000-quiet-fox` and `quiet-fox` are both `quiet-fox`'s. Slugs start
/// with a letter, so there is one way to read it.
fn slug(label: &str) -> &str {
    match label.split_once('-') {
        Some((port, slug)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => slug,
        _ => label,
    }
}

impl Tickets<'_> {
    /// Issues a ticket for a host label to a person; it works once, within a minute. What comes of it ends
    /// with what the person showed for it.
    pub async fn issue(&self, label: &str, user: UserId, shown: Credential) -> Result<Secret<String>, StoreError> {
        let database = &self.store.inner.database;
        let (ticket, hash) = secret::mint("");
        let (session, token, configured) = match shown {
            Credential::Session(id) => (Some(id.uuid()), None, None),
            Credential::Token(id) => (None, Some(id.uuid()), None),
            Credential::Configured => (None, None, self.store.inner.configured()),
        };
        let tx = database.write().await?;
        let row = ticket::ActiveModel {
            hash: Set(hash),
            user_id: Set(user.uuid()),
            session_id: Set(session),
            token_id: Set(token),
            configured: Set(configured),
            label: Set(label.to_owned()),
            slug: Set(slug(label).to_owned()),
            expires_at: Set(database.clock(&tx).await? + micros(TICKET)),
        };
        ticket::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(ticket)
    }

    /// Trades a ticket for the host's cookie. `None` if it was used, has expired, or was issued for another
    /// host; a ticket that was shown at the wrong host is void from then on.
    pub async fn redeem(&self, text: &str, label: &str) -> Result<Option<Secret<String>>, StoreError> {
        let database = &self.store.inner.database;
        let hash = secret::hash(text);
        let tx = database.write().await?;
        let live = Expr::col(ticket::Column::ExpiresAt).gt(database.now());
        let row = ticket::Entity::find_by_id(hash.as_str()).filter(live).lock_exclusive().one(&tx).await?;
        let gone = ticket::Entity::delete_many().filter(ticket::Column::Hash.eq(hash)).exec(&tx).await?;
        let Some(row) = row.filter(|row| gone.rows_affected == 1 && row.label == label) else {
            tx.commit().await?;
            return Ok(None);
        };
        let end = database.clock(&tx).await? + micros(ENTRY);
        let expires_at = match (row.session_id, row.token_id) {
            (Some(id), _) => session::Entity::find_by_id(id).one(&tx).await?.map(|session| session.expires_at),
            (None, Some(id)) => {
                let token = token::Entity::find_by_id(id).filter(live_token(database)).lock_exclusive();
                token.one(&tx).await?.map(|token| token.expires_at.map_or(end, |its| Ord::min(its, end)))
            }
            (None, None) => Some(end),
        };
        let cookie = match expires_at {
            None => None,
            Some(expires_at) => {
                let (cookie, hash) = secret::mint("");
                let entry = entry::ActiveModel {
                    hash: Set(hash),
                    user_id: Set(row.user_id),
                    session_id: Set(row.session_id),
                    token_id: Set(row.token_id),
                    configured: Set(row.configured),
                    label: Set(row.label),
                    slug: Set(row.slug),
                    expires_at: Set(expires_at),
                };
                entry::Entity::insert(entry).exec_without_returning(&tx).await?;
                Some(cookie)
            }
        };
        tx.commit().await?;
        Ok(cookie)
    }

    /// Who a cookie stands for on this host; `None` if it is unknown there, has expired or was signed out.
    pub async fn entry(&self, cookie: &str, label: &str) -> Result<Option<Principal>, StoreError> {
        let database = &self.store.inner.database;
        let found = entry::Entity::find_by_id(secret::hash(cookie))
            .filter(entry::Column::Label.eq(label))
            .filter(Expr::col(entry::Column::ExpiresAt).gt(database.now()))
            .one(&database.reader)
            .await?;
        match found {
            Some(row) => principal(&database.reader, row.user_id, Scope::All).await,
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_label_names_one_workspace() {
        assert_eq!(slug("quiet-fox-7k2p"), "quiet-fox-7k2p");
        assert_eq!(slug("3000-quiet-fox-7k2p"), "quiet-fox-7k2p");
        assert_eq!(slug("fox"), "fox");
        assert_eq!(slug("f1-2"), "f1-2");
    }
}
