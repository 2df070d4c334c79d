//! Create, list, show, start, stop, rebuild, delete.

use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{ApiResponse, Object, OpenApi};
use steading_core::access::Action;
use steading_core::resolution::Resolution;
use steading_core::{Desired, Owner, WorkspaceId, source};
use steading_store::{BEING_DELETED, ListQuery, StoreError};

use super::Tag;
use crate::app::App;
use crate::body::Maybe;
use crate::caller::{self, Caller, Granted};
use crate::problem::ApiError;
use crate::views::workspace::{ListView, SummaryView, WorkspaceView};
use crate::{creation, rebuild};

/// Operations on workspaces.
pub struct Workspaces;

/// What a workspace is made from.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NewWorkspace")]
pub struct NewWorkspaceView {
    /// A Git URL, or a link to a repository, branch, tag, commit, pull request, folder or file on a forge.
    #[oai(validator(max_length = 4096))]
    pub source: String,
    /// A branch, tag or commit; overrides the one in `source`.
    #[oai(validator(max_length = 1024))]
    pub reference: Option<String>,
    /// Which configuration of several, by its path in the repository.
    #[oai(validator(max_length = 4096))]
    pub config: Option<String>,
    /// A fallback template by name, whatever the repository contains.
    #[oai(validator(max_length = 100))]
    pub template: Option<String>,
}

/// What a rebuild may choose.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Rebuild")]
pub struct RebuildView {
    /// Another configuration, by its path in the repository. It stays chosen for later rebuilds.
    #[oai(validator(max_length = 4096))]
    pub config: Option<String>,
}

/// The configurations of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Configurations")]
pub struct ConfigurationsView {
    /// Their paths in the repository.
    pub items: Vec<String>,
    /// The one that the workspace is made from, if it is one of the repository's.
    pub used: Option<String>,
}

/// A workspace was made.
#[derive(ApiResponse)]
pub enum Created {
    /// It is on its way; follow its events.
    #[oai(status = 201)]
    Workspace(Json<WorkspaceView>, #[oai(header = "Location")] String),
}

/// A change was accepted.
#[derive(ApiResponse)]
pub enum Accepted {
    /// It is on its way; follow its events.
    #[oai(status = 202)]
    Workspace(Json<WorkspaceView>),
}

#[OpenApi(tag = "Tag::Workspaces")]
impl Workspaces {
    /// Makes a workspace from a source.
    #[oai(path = "/workspaces", method = "post", operation_id = "create_workspace")]
    async fn create(
        &self,
        app: Data<&App>,
        caller: Caller,
        body: Json<NewWorkspaceView>,
        /// Replays the first answer when the same request is sent again.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Created, ApiError> {
        caller.can(Action::Create)?;
        let parsed = creation::source(&body, app.config.may_fetch_local())?;
        // Keys are forgotten after a day; the same one may then be used for something else.
        let key = key.0.map(|key| format!("{}/{key}/{}", caller.principal().user, body.to_json_string()));
        let fresh = |id| creation::workspace(id, caller.owner(), parsed.clone(), &body, app.config.limits());
        let workspace = match key {
            Some(key) => creation::insert_once(&app, &key, fresh).await,
            None => creation::insert(&app, fresh(WorkspaceId::new())).await,
        };
        let workspace = workspace.map_err(|e| ApiError::from_fault(&e))?;
        app.drive(workspace.id).await;
        let location = format!("/v1/workspaces/{}", workspace.id);
        Ok(Created::Workspace(Json(WorkspaceView::of(&workspace, &app.urls)), location))
    }

    /// Lists your workspaces, newest first.
    #[oai(path = "/workspaces", method = "get", operation_id = "list_workspaces")]
    async fn list(
        &self,
        app: Data<&App>,
        caller: Caller,
        /// Which page, from 1.
        #[oai(default = "first", validator(minimum(value = "1"), maximum(value = "1000000")))]
        page: Query<u64>,
        /// How many a page holds.
        #[oai(default = "fifty", validator(minimum(value = "1"), maximum(value = "200")))]
        per_page: Query<u64>,
        /// Only those whose name or source contains this.
        text: Query<Option<String>>,
        /// Everybody's, for an administrator.
        #[oai(default)]
        all: Query<bool>,
    ) -> Result<Json<ListView>, ApiError> {
        caller.can(Action::View)?;
        if all.0 {
            caller.can(Action::Administer)?;
        }
        let owner: Option<Owner> = (!all.0).then(|| caller.owner());
        let query = ListQuery { owner, phase: None, text: text.0, page: page.0, per_page: per_page.0 };
        let found = app.store.workspaces().list(&query).await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Json(ListView {
            items: found.items.iter().map(|s| SummaryView::of(s, &app.urls)).collect(),
            total: found.total,
            page: page.0,
            per_page: per_page.0,
        }))
    }

    /// Shows one workspace, by id or slug.
    #[oai(path = "/workspaces/:name", method = "get", operation_id = "show_workspace")]
    async fn show(&self, app: Data<&App>, caller: Caller, name: Path<String>) -> Result<Json<WorkspaceView>, ApiError> {
        let granted: Granted<caller::View> = caller.may(&app, &name).await?;
        Ok(Json(WorkspaceView::of(granted.workspace(), &app.urls)))
    }

    /// Starts a workspace, or tries again what failed.
    #[oai(path = "/workspaces/:name/start", method = "post", operation_id = "start_workspace")]
    async fn start(&self, app: Data<&App>, caller: Caller, name: Path<String>) -> Result<Accepted, ApiError> {
        let granted: Granted<caller::Operate> = caller.may(&app, &name).await?;
        want(&app, granted.id(), Desired::Running).await
    }

    /// Stops a workspace. Its files stay.
    #[oai(path = "/workspaces/:name/stop", method = "post", operation_id = "stop_workspace")]
    async fn stop(&self, app: Data<&App>, caller: Caller, name: Path<String>) -> Result<Accepted, ApiError> {
        let granted: Granted<caller::Operate> = caller.may(&app, &name).await?;
        want(&app, granted.id(), Desired::Stopped).await
    }

    /// Replaces the container by one from today's configuration, or from another one. The repository stays as it is.
    #[oai(path = "/workspaces/:name/rebuild", method = "post", operation_id = "rebuild_workspace")]
    async fn rebuild(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
        body: Maybe<RebuildView>,
    ) -> Result<Accepted, ApiError> {
        let granted: Granted<caller::Operate> = caller.may(&app, &name).await?;
        let wished = body.0.and_then(|body| body.config).filter(|config| !config.trim().is_empty());
        let workspaces = app.store.workspaces();
        let workspace = match wished {
            Some(wished) => {
                let config = rebuild::chosen(&app, granted.workspace(), &wished).await?;
                workspaces.want_rebuild_from(granted.id(), config).await
            }
            None => workspaces.want_rebuild(granted.id()).await,
        };
        accept(&app, workspace).await
    }

    /// Lists the configurations that a workspace can be rebuilt from: those that are in it now.
    #[oai(path = "/workspaces/:name/configurations", method = "get", operation_id = "list_configurations")]
    async fn configurations(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
    ) -> Result<Json<ConfigurationsView>, ApiError> {
        let granted: Granted<caller::Operate> = caller.may(&app, &name).await?;
        let items = rebuild::configurations(&app, granted.id()).await?;
        let used = granted.workspace().resolution_in_use().and_then(Resolution::configuration);
        Ok(Json(ConfigurationsView { items, used: used.map(str::to_owned) }))
    }

    /// Deletes a workspace: container, volumes and records. What was not pushed is lost.
    #[oai(path = "/workspaces/:name", method = "delete", operation_id = "delete_workspace")]
    async fn delete(&self, app: Data<&App>, caller: Caller, name: Path<String>) -> Result<Accepted, ApiError> {
        let granted: Granted<caller::Delete> = caller.may(&app, &name).await?;
        want(&app, granted.id(), Desired::Deleted).await
    }
}

const fn first() -> u64 {
    1
}

const fn fifty() -> u64 {
    50
}

async fn want(app: &App, id: WorkspaceId, desired: Desired) -> Result<Accepted, ApiError> {
    let workspace = app.store.workspaces().want(id, desired).await;
    accept(app, workspace).await
}

async fn accept(app: &App, changed: Result<steading_core::Workspace, StoreError>) -> Result<Accepted, ApiError> {
    let workspace = match changed {
        Ok(workspace) => workspace,
        Err(StoreError::NotFound) => return Err(ApiError::not_found("workspace")),
        Err(StoreError::Conflict(BEING_DELETED)) => {
            return Err(ApiError::conflict(
                "workspace-being-deleted",
                "The workspace is being deleted.",
                "Make a new one from the same source.",
            ));
        }
        Err(error) => return Err(ApiError::from_fault(&error)),
    };
    app.drive(workspace.id).await;
    Ok(Accepted::Workspace(Json(WorkspaceView::of(&workspace, &app.urls))))
}

/// Keeps the module's use of the source's own error in one place.
impl From<source::SourceError> for ApiError {
    fn from(error: source::SourceError) -> Self {
        use steading_core::Fault as _;
        Self::bad_request(error.code(), error.to_string(), error.hint().unwrap_or_default())
    }
}
