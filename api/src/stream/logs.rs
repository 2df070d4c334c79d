//! Follows a workspace's log.

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use steading_core::{WorkspaceId, report};

use crate::app::App;
use crate::views::event::LogLineView;

const BATCH: usize = 1000;

/// Lines after `after`: history, then live ones if somebody wants to follow.
pub fn follow(app: &App, id: WorkspaceId, after: u64, follow: bool) -> BoxStream<'static, LogLineView> {
    if follow {
        return app.store.logs().tail(id, after).map(LogLineView::from).boxed();
    }
    let logs = app.store.logs().clone();
    stream::unfold((logs, after), move |(logs, after)| async move {
        let lines = match logs.read(id, after, BATCH).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::warn!(workspace.id = %id, error = %report::chain(&error), "a log broke off");
                return None;
            }
        };
        let last = lines.last()?.seq;
        Some((stream::iter(lines.into_iter().map(LogLineView::from)), (logs, last)))
    })
    .flatten()
    .boxed()
}
