//! Lists of workspaces, from plain columns alone: the large document of each is never read.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, LikeExpr};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
};
use steading_core::{Desired, Failure, Owner, Phase, Slug, WorkspaceId};

use super::{Workspaces, document};
use crate::connect::moment;
use crate::error::StoreError;
use crate::rows::read;
use crate::rows::workspace::{Column, Entity};

/// Which workspaces to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Whose; everybody's if absent.
    pub owner: Option<Owner>,
    /// Only those in this phase.
    pub phase: Option<Phase>,
    /// Only those whose name or source contains this text.
    pub text: Option<String>,
    /// Counts from 1.
    pub page: u64,
    /// Workspaces on a page, 200 at most.
    pub per_page: u64,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { owner: None, phase: None, text: None, page: 1, per_page: 50 }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What is on it.
    pub items: Vec<Summary>,
    /// How many there are on all pages.
    pub total: u64,
}

/// A workspace as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its name for ever.
    pub id: WorkspaceId,
    /// Its readable name.
    pub slug: Slug,
    /// Whose it is.
    pub owner: Owner,
    /// The source for people, without its secrets.
    pub source: String,
    /// `prebuilt`, `devcontainer` or `template`, once it is known.
    pub resolution: Option<String>,
    /// Where it is.
    pub phase: Phase,
    /// What its owner wants.
    pub desired: Desired,
    /// Why it stands still.
    pub failure: Option<Failure>,
    /// The last time somebody entered it.
    pub entered_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its record last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    id: uuid::Uuid,
    slug: String,
    owner_kind: String,
    owner_id: uuid::Uuid,
    source: String,
    resolution: Option<String>,
    phase: String,
    desired: String,
    failure: Option<String>,
    entered_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

const COLUMNS: [Column; 12] = [
    Column::Id,
    Column::Slug,
    Column::OwnerKind,
    Column::OwnerId,
    Column::Source,
    Column::Resolution,
    Column::Phase,
    Column::Desired,
    Column::Failure,
    Column::EnteredAt,
    Column::CreatedAt,
    Column::UpdatedAt,
];

impl Workspaces<'_> {
    /// One page of the list, newest first.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let database = &self.store.inner.database;
        let found = matching(query);
        let per_page = query.per_page.clamp(1, 200);
        let rows = found
            .clone()
            .select_only()
            .columns(COLUMNS)
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(per_page)
            .offset(Ord::min(query.page.saturating_sub(1).saturating_mul(per_page), i64::MAX as u64))
            .into_model::<Row>()
            .all(&database.reader);
        let (rows, total) = futures::try_join!(rows, found.count(&database.reader))?;
        Ok(Page { items: rows.into_iter().map(summary).collect::<Result<_, _>>()?, total })
    }
}

fn matching(query: &ListQuery) -> Select<Entity> {
    let mut found = Entity::find();
    if let Some(owner) = query.owner {
        let (kind, id) = document::owner_columns(owner);
        found = found.filter(Column::OwnerKind.eq(kind)).filter(Column::OwnerId.eq(id));
    }
    if let Some(phase) = query.phase {
        found = found.filter(Column::Phase.eq(phase.as_str()));
    }
    if let Some(text) = query.text.as_deref().filter(|text| !text.is_empty()) {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = || LikeExpr::new(format!("%{escaped}%")).escape('\\');
        found = found.filter(Expr::col(Column::Slug).like(like()).or(Expr::col(Column::Source).like(like())));
    }
    found
}

fn summary(row: Row) -> Result<Summary, StoreError> {
    Ok(Summary {
        id: WorkspaceId::from_uuid(row.id),
        slug: row.slug.parse().map_err(StoreError::unavailable)?,
        owner: document::owner(&row.owner_kind, row.owner_id)?,
        source: row.source,
        resolution: row.resolution,
        phase: read(&row.phase)?,
        desired: read(&row.desired)?,
        failure: row.failure.as_deref().map(serde_json::from_str).transpose()?,
        entered_at: row.entered_at.map(moment),
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
    })
}
