//! Follows a workspace's log.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use steading_core::WorkspaceId;

use crate::app::App;
use crate::views::event::LogLineView;

/// Lines after `after`: history, then live ones if somebody wants to follow.
pub fn follow(app: &App, id: WorkspaceId, after: u64, follow: bool) -> BoxStream<'static, LogLineView> {
    let logs = app.store.logs();
    if follow {
        return logs.tail(id, after).map(LogLineView::from).boxed();
    }
    logs.history(id, after).map(LogLineView::from).boxed()
}
