//! A workspace. What is listed, searched or fenced has a column of its own; the rest is one document.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspace")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(unique)]
    pub(crate) slug: String,
    pub(crate) owner_kind: String,
    pub(crate) owner_id: Uuid,
    pub(crate) runtime: String,
    /// The source for people, without its secrets.
    pub(crate) source: String,
    /// `prebuilt`, `devcontainer` or `template`.
    pub(crate) resolution: Option<String>,
    pub(crate) phase: String,
    pub(crate) desired: String,
    pub(crate) generation: i64,
    pub(crate) rebuilds: i64,
    /// A `Failure` as JSON.
    pub(crate) failure: Option<String>,
    /// Whether the record alone says that nothing is left to do.
    pub(crate) settled: bool,
    /// Not before this moment.
    pub(crate) retry_at: Option<i64>,
    /// The IDE's port inside the container.
    pub(crate) ide_port: Option<i32>,
    /// The folder the IDE opens.
    pub(crate) folder: Option<String>,
    pub(crate) lease_holder: Option<String>,
    pub(crate) lease_epoch: i64,
    /// 0 while the lease is free.
    pub(crate) lease_until: i64,
    /// Somebody rang while the lease was held.
    pub(crate) look_again: bool,
    /// When a lease was last taken.
    pub(crate) looked_at: i64,
    pub(crate) entered_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// The rest of the workspace as JSON; last, so that listings never read it.
    pub(crate) document: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
