//! Follows a workspace's story.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use steading_core::event::WorkspaceEvent;
use steading_core::{WorkspaceId, report};
use steading_store::{Feed, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::views::event::EventView;

const BATCH: u64 = 200;
/// However quiet it is, so often somebody looks whether the workspace still exists.
const QUIET: Duration = Duration::from_secs(30);

struct Reader {
    app: App,
    id: WorkspaceId,
    after: i64,
    bell: Receiver<Feed>,
    follow: bool,
}

/// Events after `after`: history, then live ones. Ends when the workspace is gone, or after the history if
/// nobody wants to follow.
pub fn follow(app: &App, id: WorkspaceId, after: i64, follow: bool) -> BoxStream<'static, EventView> {
    // The bell is taken before the history is read, so that nothing falls between the two.
    let bell = app.store.feed().subscribe();
    let reader = Reader { app: app.clone(), id, after, bell, follow };
    stream::unfold(reader, |mut reader| async move {
        let batch = reader.next().await?;
        let views: Vec<EventView> = batch.iter().map(Into::into).collect();
        Some((stream::iter(views), reader))
    })
    .flatten()
    .boxed()
}

impl Reader {
    /// The next events, as soon as there are any.
    async fn next(&mut self) -> Option<Vec<WorkspaceEvent>> {
        loop {
            match self.app.store.events().since(Some(self.id), self.after, BATCH).await {
                Ok(batch) if !batch.is_empty() => {
                    self.after = batch.last().map_or(self.after, |e| e.seq);
                    return Some(batch);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(workspace.id = %self.id, error = %report::chain(&error), "a story broke off");
                    return None;
                }
            }
            // A deleted workspace's story is deleted with it.
            let gone = matches!(self.app.store.workspaces().load(self.id).await, Err(StoreError::NotFound));
            if !self.follow || gone {
                return None;
            }
            self.wait().await?;
        }
    }

    /// Waits until something about the workspace may have changed.
    async fn wait(&mut self) -> Option<()> {
        loop {
            match tokio::time::timeout(QUIET, self.bell.recv()).await {
                Ok(Ok(Feed::Workspace(id) | Feed::Event(id, _))) if id == self.id => return Some(()),
                Ok(Ok(Feed::Lost) | Err(RecvError::Lagged(_))) | Err(_) => return Some(()),
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Closed)) => return None,
            }
        }
    }
}
