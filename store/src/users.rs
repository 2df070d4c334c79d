//! People.

use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, EntityTrait as _, QueryOrder as _};
use steading_core::UserId;
use steading_core::access::{Principal, Role, Scope};

use crate::Store;
use crate::connect::Database;
use crate::error::StoreError;
use crate::rows::{person, read, word};

/// People.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    pub(crate) store: &'a Store,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their name for ever.
    pub id: UserId,
    /// What they are called.
    pub name: String,
    /// What they are here.
    pub role: Role,
}

impl Users<'_> {
    /// The administrator who was made with the database.
    #[must_use]
    pub fn admin(&self) -> UserId {
        self.store.inner.admin
    }

    /// One person.
    pub async fn load(&self, id: UserId) -> Result<User, StoreError> {
        find(&self.store.inner.database.reader, id.uuid()).await?.ok_or(StoreError::NotFound)
    }

    /// Everybody, by age.
    pub async fn list(&self) -> Result<Vec<User>, StoreError> {
        let rows = person::Entity::find().order_by_asc(person::Column::CreatedAt);
        rows.all(&self.store.inner.database.reader).await?.into_iter().map(user).collect()
    }
}

fn user(row: person::Model) -> Result<User, StoreError> {
    Ok(User { id: UserId::from_uuid(row.id), name: row.name, role: read(&row.role)? })
}

async fn find(on: &impl ConnectionTrait, id: uuid::Uuid) -> Result<Option<User>, StoreError> {
    person::Entity::find_by_id(id).one(on).await?.map(user).transpose()
}

/// Who a credential of this person stands for.
pub(crate) async fn principal(
    on: &impl ConnectionTrait,
    id: uuid::Uuid,
    scope: Scope,
) -> Result<Option<Principal>, StoreError> {
    Ok(find(on, id).await?.map(|user| Principal { user: user.id, role: user.role, scope }))
}

/// The administrator, made on first start.
pub(crate) async fn admin(database: &Database) -> Result<UserId, StoreError> {
    let chosen = crate::settings::once(database, "admin", || UserId::new().to_string()).await?;
    let id: UserId = chosen.parse().map_err(StoreError::unavailable)?;
    let tx = database.write().await?;
    if find(&tx, id.uuid()).await?.is_none() {
        let row = person::ActiveModel {
            id: Set(id.uuid()),
            name: Set("admin".to_owned()),
            role: Set(word(&Role::Admin)?),
            created_at: Set(database.clock(&tx).await?),
        };
        // Another process may have been faster; its row is as good.
        let first = sea_orm::sea_query::OnConflict::column(person::Column::Id).do_nothing().to_owned();
        person::Entity::insert(row).on_conflict(first).exec_without_returning(&tx).await?;
    }
    tx.commit().await?;
    Ok(id)
}
