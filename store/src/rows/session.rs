//! A browser that is signed in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    /// The API token that opened it and ends it.
    pub(crate) token_id: Option<Uuid>,
    /// The configured token that opened it and ends it, by its mark.
    pub(crate) configured: Option<String>,
    #[sea_orm(unique)]
    pub(crate) hash: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
