//! Things that are decided once for an installation and kept in its database.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use crate::connect::Database;
use crate::error::StoreError;
use crate::rows::setting;

/// The value under a name; the first process to ask decides it for all.
pub(crate) async fn once(
    database: &Database,
    name: &str,
    value: impl FnOnce() -> String,
) -> Result<String, StoreError> {
    if let Some(known) = setting::Entity::find_by_id(name).one(&database.reader).await? {
        return Ok(known.value);
    }
    let row = setting::ActiveModel { name: Set(name.to_owned()), value: Set(value()) };
    let first = OnConflict::column(setting::Column::Name).do_nothing().to_owned();
    setting::Entity::insert(row).on_conflict(first).exec_without_returning(database.writer()).await?;
    let kept = setting::Entity::find_by_id(name).one(database.writer()).await?;
    kept.map(|row| row.value).ok_or(StoreError::NotFound)
}
