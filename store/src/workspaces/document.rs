//! Between a workspace and its row.

use sea_orm::ActiveValue::{self, NotSet, Set, Unchanged};
use serde::{Deserialize, Serialize};
use steading_core::pod::PodSpec;
use steading_core::runtime::RuntimeId;
use steading_core::service::ServiceName;
use steading_core::workspace::{Generation, Limits, Retry, Wishes};
use steading_core::{Facts, Failure, Owner, PoolId, Source, UserId, Workspace, WorkspaceId};

use super::settled::is_settled;
use crate::connect::{micros, moment};
use crate::error::StoreError;
use crate::rows::workspace::{ActiveModel, Model};
use crate::rows::{read, word};

/// What has no column of its own.
#[derive(Debug, Deserialize)]
struct Document {
    source: Source,
    wishes: Wishes,
    limits: Limits,
    spec: Option<PodSpec>,
    facts: Facts,
    warnings: Vec<Failure>,
    retry: Option<Retry>,
}

#[derive(Debug, Serialize)]
struct DocumentRef<'a> {
    source: &'a Source,
    wishes: &'a Wishes,
    limits: &'a Limits,
    spec: &'a Option<PodSpec>,
    facts: &'a Facts,
    warnings: &'a Vec<Failure>,
    retry: &'a Option<Retry>,
}

/// An owner as two columns.
pub(crate) fn owner_columns(owner: Owner) -> (&'static str, uuid::Uuid) {
    match owner {
        Owner::User(id) => ("user", id.uuid()),
        Owner::Pool(id) => ("pool", id.uuid()),
    }
}

/// Two columns as an owner.
pub(crate) fn owner(kind: &str, id: uuid::Uuid) -> Result<Owner, StoreError> {
    match kind {
        "user" => Ok(Owner::User(UserId::from_uuid(id))),
        "pool" => Ok(Owner::Pool(PoolId::from_uuid(id))),
        other => Err(StoreError::unavailable(format!("`{other}` is not a kind of owner"))),
    }
}

/// The row of a workspace whose lease is free.
pub(super) fn row(ws: &Workspace) -> Result<ActiveModel, StoreError> {
    let document = DocumentRef {
        source: &ws.source,
        wishes: &ws.wishes,
        limits: &ws.limits,
        spec: &ws.spec,
        facts: &ws.facts,
        warnings: &ws.warnings,
        retry: &ws.retry,
    };
    let (owner_kind, owner_id) = owner_columns(ws.owner);
    let ide = ws.spec_in_use().and_then(|spec| spec.services.iter().find(|s| s.name == ServiceName::ide()));
    Ok(ActiveModel {
        id: Set(ws.id.uuid()),
        slug: Set(ws.slug.to_string()),
        owner_kind: Set(owner_kind.to_owned()),
        owner_id: Set(owner_id),
        runtime: Set(ws.runtime.0.clone()),
        source: Set(ws.source.to_string()),
        resolution: Set(ws.facts.resolution.as_ref().map(|r| r.kind_name().to_owned())),
        phase: Set(ws.phase.as_str().to_owned()),
        desired: Set(word(&ws.desired)?),
        generation: Set(ws.generation.0),
        rebuilds: Set(ws.rebuilds),
        failure: Set(ws.failure.as_ref().map(serde_json::to_string).transpose()?),
        settled: Set(is_settled(ws)),
        retry_at: Set(ws.retry.as_ref().map(|retry| micros(retry.not_before))),
        ide_port: Set(ide.map(|service| i32::from(service.port))),
        folder: Set(ws.spec_in_use().map(|spec| spec.opened().to_owned())),
        lease_holder: Set(None),
        lease_epoch: Set(0),
        lease_until: Set(0),
        look_again: Set(false),
        looked_at: Set(0),
        entered_at: Set(ws.entered_at.map(micros)),
        created_at: Set(micros(ws.created_at)),
        updated_at: Set(micros(ws.updated_at)),
        document: Set(serde_json::to_string(&document)?),
    })
}

/// Copies to a stored row what a workspace's new row has different, except for the columns that belong
/// to the lease and the key.
pub(super) fn take_changes(stored: &mut ActiveModel, new: ActiveModel) {
    fn take<T: Into<sea_orm::Value> + PartialEq>(stored: &mut ActiveValue<T>, new: ActiveValue<T>) {
        if let (Unchanged(old), Set(value)) = (&*stored, new)
            && *old != value
        {
            *stored = Set(value);
        }
    }
    debug_assert!(!matches!(stored.document, NotSet));
    take(&mut stored.slug, new.slug);
    take(&mut stored.owner_kind, new.owner_kind);
    take(&mut stored.owner_id, new.owner_id);
    take(&mut stored.runtime, new.runtime);
    take(&mut stored.source, new.source);
    take(&mut stored.resolution, new.resolution);
    take(&mut stored.phase, new.phase);
    take(&mut stored.desired, new.desired);
    take(&mut stored.generation, new.generation);
    take(&mut stored.rebuilds, new.rebuilds);
    take(&mut stored.failure, new.failure);
    take(&mut stored.settled, new.settled);
    take(&mut stored.retry_at, new.retry_at);
    take(&mut stored.ide_port, new.ide_port);
    take(&mut stored.folder, new.folder);
    take(&mut stored.updated_at, new.updated_at);
    take(&mut stored.document, new.document);
}

/// The workspace of a row.
pub(super) fn workspace(row: Model) -> Result<Workspace, StoreError> {
    let document: Document = serde_json::from_str(&row.document)?;
    Ok(Workspace {
        id: WorkspaceId::from_uuid(row.id),
        slug: row.slug.parse().map_err(StoreError::unavailable)?,
        owner: owner(&row.owner_kind, row.owner_id)?,
        source: document.source,
        wishes: document.wishes,
        runtime: RuntimeId(row.runtime),
        desired: read(&row.desired)?,
        generation: Generation(row.generation),
        rebuilds: row.rebuilds,
        spec: document.spec,
        phase: read(&row.phase)?,
        facts: document.facts,
        failure: row.failure.as_deref().map(serde_json::from_str).transpose()?,
        warnings: document.warnings,
        retry: document.retry,
        limits: document.limits,
        entered_at: row.entered_at.map(moment),
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
    })
}
