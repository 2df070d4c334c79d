//! Events and logs as server-sent events that resume where the reader was.

use futures::stream::BoxStream;
use poem::web::Data;
use poem::web::sse::Event;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON as _;
use std::time::Duration;

use super::Tag;
use crate::app::App;
use crate::caller::{self, Caller, Granted};
use crate::problem::ApiError;
use crate::stream;
use crate::views::event::{EventView, LogLineView};

/// So often an idle stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Operations that stream.
pub struct Streams;

#[OpenApi(tag = "Tag::Workspaces")]
impl Streams {
    /// Streams a workspace's story: all of it so far, then what happens. Ends when it is deleted.
    #[oai(path = "/workspaces/:name/events", method = "get", operation_id = "stream_events")]
    async fn events(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
        /// Where the reader was; browsers send it when they reconnect.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<i64>>,
        /// Only events after this one.
        after: Query<Option<i64>>,
        /// Wait for more after the last one.
        #[oai(default = "yes")]
        follow: Query<bool>,
    ) -> Result<EventStream<BoxStream<'static, EventView>>, ApiError> {
        let granted: Granted<caller::View> = caller.may(&app, &name).await?;
        let after = last_event_id.0.or(after.0).unwrap_or(0);
        let events = stream::events::follow(&app, granted.id(), after, follow.0);
        Ok(EventStream::new(events)
            .to_event(|view| Event::message(view.to_json_string()).id(view.seq.to_string()))
            .keep_alive(KEEP_ALIVE))
    }

    /// Streams a workspace's log: builds, checkouts, hooks. History first, then live lines.
    #[oai(path = "/workspaces/:name/logs", method = "get", operation_id = "stream_logs")]
    async fn logs(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
        /// Where the reader was; browsers send it when they reconnect.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<u64>>,
        /// Only lines after this one.
        after: Query<Option<u64>>,
        /// Wait for more after the last one.
        #[oai(default = "yes")]
        follow: Query<bool>,
    ) -> Result<EventStream<BoxStream<'static, LogLineView>>, ApiError> {
        let granted: Granted<caller::View> = caller.may(&app, &name).await?;
        let after = last_event_id.0.or(after.0).unwrap_or(0);
        let lines = stream::logs::follow(&app, granted.id(), after, follow.0);
        Ok(EventStream::new(lines)
            .to_event(|view| Event::message(view.to_json_string()).id(view.seq.to_string()))
            .keep_alive(KEEP_ALIVE))
    }
}

const fn yes() -> bool {
    true
}
