//! One ring of the bell: something changed that other processes should know of.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bell")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) seq: i64,
    /// The process that wrote it; it has rung its own bell already.
    pub(crate) origin: String,
    /// Absent when sign-ins changed.
    pub(crate) workspace_id: Option<Uuid>,
    /// The last event that came with the change.
    pub(crate) event_seq: Option<i64>,
    pub(crate) at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
