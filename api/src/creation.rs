//! From a request to a new workspace's record.

use chrono::{DateTime, Utc};
use steading_core::source::{GitSource, Reference};
use steading_core::workspace::{Facts, Limits, Wishes};
use steading_core::{Desired, Generation, Owner, Phase, Slug, Source, Workspace, WorkspaceId};
use steading_store::{ID_TAKEN, KEY_KEPT, SLUG_TAKEN, StoreError};

use crate::app::App;
use crate::problem::ApiError;
use crate::routes::workspaces::NewWorkspaceView;

/// Two random slugs meet once in billions; a few more tries make it never.
const SLUG_TRIES: usize = 8;

/// How often a key may be used again, a day later each time, while everything that it made is still there.
const KEY_TURNS: usize = 32;

/// The source that a request names, its own reference taking the place of the URL's.
pub fn source(body: &NewWorkspaceView, local: bool) -> Result<Source, ApiError> {
    let parsed = Source::parse(&body.source, local)?;
    let wished = body.reference.as_deref().map(str::trim).filter(|r| !r.is_empty());
    Ok(match (parsed, wished) {
        (Source::Git(git), Some(name)) => Source::Git(GitSource { reference: Reference::Name(name.to_owned()), ..git }),
        (parsed, _) => parsed,
    })
}

/// What the request asks for beside the source.
#[must_use]
pub fn wishes(body: &NewWorkspaceView) -> Wishes {
    let wish = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
    Wishes { config: wish(&body.config), template: wish(&body.template) }
}

/// The record of a workspace that nothing has been done for yet.
#[must_use]
pub fn workspace(id: WorkspaceId, owner: Owner, source: Source, body: &NewWorkspaceView, limits: Limits) -> Workspace {
    let now = Utc::now();
    Workspace {
        id,
        slug: Slug::random(),
        owner,
        source,
        wishes: wishes(body),
        runtime: steading_core::runtime::RuntimeId::default(),
        desired: Desired::Running,
        generation: Generation(1),
        rebuilds: 0,
        spec: None,
        phase: Phase::Pending,
        facts: Facts::default(),
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits,
        entered_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// Inserts what `fresh` makes of an id that derives from `key`; or gives what was inserted for the same key and
/// only lost its answer. What was made in an earlier life of the key, or is not wanted any more, is something else.
pub async fn insert_once(
    app: &App,
    key: &str,
    fresh: impl Fn(WorkspaceId) -> Workspace,
) -> Result<Workspace, StoreError> {
    for turn in 0..KEY_TURNS {
        let id = WorkspaceId::derived(&format!("{key}/{turn}"));
        match insert(app, fresh(id)).await {
            Err(StoreError::Conflict(ID_TAKEN)) => {}
            other => return other,
        }
        match app.store.workspaces().load(id).await {
            Ok(there) if is_answer(&there, Utc::now()) => return Ok(there),
            Ok(_) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    insert(app, fresh(WorkspaceId::new())).await
}

/// Whether a workspace that is there under a key's id is what a request with that key asks for now.
fn is_answer(there: &Workspace, now: DateTime<Utc>) -> bool {
    let age = now.signed_duration_since(there.created_at).to_std().unwrap_or_default();
    there.desired != Desired::Deleted && age < KEY_KEPT
}

/// Inserts it, under another slug when that one is taken.
pub async fn insert(app: &App, mut fresh: Workspace) -> Result<Workspace, StoreError> {
    for _ in 1..SLUG_TRIES {
        match app.store.workspaces().insert(&fresh).await {
            Err(StoreError::Conflict(SLUG_TAKEN)) => fresh.slug = Slug::random(),
            Err(error) => return Err(error),
            Ok(()) => return Ok(fresh),
        }
    }
    app.store.workspaces().insert(&fresh).await.map(|()| fresh)
}
