//! The first answer to a request with an Idempotency-Key.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) request_hash: String,
    /// Who answers it; an answer of anybody else is void.
    pub(crate) claim: Uuid,
    /// Until then the first request is under way, unless it was answered.
    pub(crate) claimed_until: i64,
    /// Absent while the first request is under way.
    pub(crate) status: Option<i32>,
    pub(crate) body: Option<String>,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
