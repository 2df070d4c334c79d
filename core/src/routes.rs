//! What the gateway asks of the database: where a host leads, and who somebody is there.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;

use crate::access::Principal;
use crate::failure::Failure;
use crate::id::WorkspaceId;
use crate::secret::Secret;
use crate::slug::Slug;
use crate::workspace::{Desired, Owner, Phase};

/// Who may see a port without being its workspace's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Only those who may enter the workspace.
    #[default]
    Private,
    /// Everybody who is signed in here.
    SignedIn,
    /// Everybody.
    Public,
}

/// Where a workspace's host leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub slug: Slug,
    /// Whose it is.
    pub owner: Owner,
    /// Where it is.
    pub phase: Phase,
    /// What its owner wants.
    pub desired: Desired,
    /// The port of its IDE inside the container; absent until it was first started.
    pub ide_port: Option<u16>,
    /// The folder the IDE opens.
    pub folder: Option<String>,
    /// Why it stands still.
    pub failure: Option<Failure>,
    /// Ports that are not private.
    pub visibility: BTreeMap<u16, Visibility>,
}

/// The database does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the database does not answer")]
pub struct RoutesError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A route that was looked up earlier no longer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// This workspace changed.
    Workspace(WorkspaceId),
    /// Some sign-in was revoked.
    Entries,
    /// Changes may have been missed.
    Everything,
}

/// What the gateway asks. Answers may be cached until [`Routes::stale`] says otherwise.
#[async_trait]
pub trait Routes: Send + Sync + 'static {
    /// Where a workspace's host leads; `None` if there is no such workspace.
    async fn find(&self, slug: &Slug) -> Result<Option<Route>, RoutesError>;

    /// Trades a one-time ticket, issued for this very host label, for a cookie; `None` if it was used,
    /// has expired or was issued for another host.
    async fn redeem(&self, ticket: &str, label: &str) -> Result<Option<Secret<String>>, RoutesError>;

    /// Who a cookie stands for on this host label; `None` if it is unknown, expired or signed out.
    async fn entry(&self, cookie: &str, label: &str) -> Result<Option<Principal>, RoutesError>;

    /// Somebody opened the workspace.
    async fn entered(&self, id: WorkspaceId, at: DateTime<Utc>) -> Result<(), RoutesError>;

    /// The container was not as the record says: somebody should look.
    async fn doubt(&self, id: WorkspaceId);

    /// What no longer holds, as it happens.
    fn stale(&self) -> BoxStream<'static, Stale>;
}
