//! A workspace, whole and in a list.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use steading_core::route::PublicUrl;
use steading_core::{Desired, Failure, Phase, Workspace};
use steading_store::Summary;

use super::resolution::ResolutionView;

/// Where a workspace is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Phase", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum PhaseView {
    Pending,
    Resolving,
    Building,
    Starting,
    Initializing,
    Running,
    Stopping,
    Stopped,
    Deleting,
    Deleted,
    Failed,
}

impl From<Phase> for PhaseView {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Resolving => Self::Resolving,
            Phase::Building => Self::Building,
            Phase::Starting => Self::Starting,
            Phase::Initializing => Self::Initializing,
            Phase::Running => Self::Running,
            Phase::Stopping => Self::Stopping,
            Phase::Stopped => Self::Stopped,
            Phase::Deleting => Self::Deleting,
            Phase::Deleted => Self::Deleted,
            Phase::Failed => Self::Failed,
        }
    }
}

/// What its owner wants of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Desired", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum DesiredView {
    Running,
    Stopped,
    Deleted,
}

impl From<Desired> for DesiredView {
    fn from(desired: Desired) -> Self {
        match desired {
            Desired::Running => Self::Running,
            Desired::Stopped => Self::Stopped,
            Desired::Deleted => Self::Deleted,
        }
    }
}

/// What went wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Failure")]
pub struct FailureView {
    /// The step it happened in: `resolve`, `build`, `up`, `populate`, `hooks`, `open`, …
    pub step: String,
    /// Stable, kebab-case; safe to match on.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether starting again may help without changing anything.
    pub retryable: bool,
    /// The last lines of output that belong to it.
    pub output: Option<String>,
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        let Failure { step, code, message, hint, retryable, output } = failure.clone();
        Self { step, code, message, hint, retryable, output }
    }
}

/// A workspace in a list.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "WorkspaceSummary")]
pub struct SummaryView {
    /// `ws_…`, for ever.
    pub id: String,
    /// Its readable name and the first label of its host name.
    pub slug: String,
    /// Where it is.
    pub phase: PhaseView,
    /// What its owner wants.
    pub desired: DesiredView,
    /// Where its IDE is.
    pub url: String,
    /// What was pasted, without secrets.
    pub source: String,
    /// `prebuilt`, `devcontainer` or `template`, once it is known.
    pub resolution: Option<String>,
    /// Why it stands still.
    pub failure: Option<FailureView>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its record last changed.
    pub updated_at: DateTime<Utc>,
}

impl SummaryView {
    /// The view of a row.
    #[must_use]
    pub fn of(summary: &Summary, urls: &PublicUrl) -> Self {
        Self {
            id: summary.id.to_string(),
            slug: summary.slug.to_string(),
            phase: summary.phase.into(),
            desired: summary.desired.into(),
            url: urls.ide(&summary.slug),
            source: summary.source.clone(),
            resolution: summary.resolution.clone(),
            failure: summary.failure.as_ref().map(Into::into),
            created_at: summary.created_at,
            updated_at: summary.updated_at,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "WorkspaceList")]
pub struct ListView {
    /// The workspaces of this page, newest first.
    pub items: Vec<SummaryView>,
    /// How many there are in all.
    pub total: u64,
    /// Which page this is, from 1.
    pub page: u64,
    /// How many a page holds.
    pub per_page: u64,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(rename = "Workspace")]
pub struct WorkspaceView {
    /// `ws_…`, for ever.
    pub id: String,
    /// Its readable name and the first label of its host name.
    pub slug: String,
    /// Where it is.
    pub phase: PhaseView,
    /// What its owner wants.
    pub desired: DesiredView,
    /// Where its IDE is.
    pub url: String,
    /// What was pasted, without secrets.
    pub source: String,
    /// What the source turned out to be, once it is known.
    pub resolution: Option<ResolutionView>,
    /// Why it stands still.
    pub failure: Option<FailureView>,
    /// What went wrong without stopping it: a hook that failed, an extension that did not install.
    pub warnings: Vec<FailureView>,
    /// When a failed step is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// The user that people work as, once it is known.
    pub user: Option<String>,
    /// The folder that is opened, once it is known.
    pub folder: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its record last changed.
    pub updated_at: DateTime<Utc>,
}

impl WorkspaceView {
    /// The view of a workspace.
    #[must_use]
    pub fn of(ws: &Workspace, urls: &PublicUrl) -> Self {
        Self {
            id: ws.id.to_string(),
            slug: ws.slug.to_string(),
            phase: ws.phase.into(),
            desired: ws.desired.into(),
            url: urls.ide(&ws.slug),
            source: ws.source.to_string(),
            resolution: ws.facts.resolution.as_ref().map(Into::into),
            failure: ws.failure.as_ref().map(Into::into),
            warnings: ws.warnings.iter().map(Into::into).collect(),
            retry_at: ws.retry.as_ref().map(|r| r.not_before),
            user: ws.spec_in_use().map(|s| s.remote_user.clone()),
            folder: ws.spec_in_use().map(|s| s.opened().to_owned()),
            created_at: ws.created_at,
            updated_at: ws.updated_at,
        }
    }
}
