//! A one-time ticket for one workspace host.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) hash: String,
    pub(crate) user_id: Uuid,
    pub(crate) session_id: Option<Uuid>,
    /// The API token that asked for it, where no session did.
    pub(crate) token_id: Option<Uuid>,
    /// The configured token that asked for it, by its mark.
    pub(crate) configured: Option<String>,
    pub(crate) label: String,
    /// The workspace's name, as the label has it.
    pub(crate) slug: String,
    pub(crate) expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
