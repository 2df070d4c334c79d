//! Events and logs as server-sent events that resume where the reader was, and terminals.

#![expect(clippy::too_many_arguments, reason = "an operation's parameters are its document")]

use futures::StreamExt as _;
use futures::stream::BoxStream;
use poem::web::Data;
use poem::web::sse::Event;
use poem::web::websocket::WebSocket;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::EventStream;
use poem_openapi::registry::{MetaResponse, MetaResponses, Registry};
use poem_openapi::types::ToJSON as _;
use poem_openapi::{ApiResponse, OpenApi};
use std::time::Duration;

use super::Tag;
use crate::app::App;
use crate::caller::{self, Caller, Granted};
use crate::problem::ApiError;
use crate::stream::stay::Stay;
use crate::stream::{events, logs, terminal};
use crate::views::event::{EventView, LogLineView};

/// So often an idle stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The connection became a WebSocket.
pub struct Switched(Response);

impl IntoResponse for Switched {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Switched {
    fn meta() -> MetaResponses {
        let switched = MetaResponse {
            description: "The connection is a WebSocket from here on.",
            status: Some(101),
            status_range: None,
            content: Vec::new(),
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![switched] }
    }

    fn register(_registry: &mut Registry) {}
}

/// Operations that stream.
pub struct Streams;

#[OpenApi(tag = "Tag::Workspaces")]
impl Streams {
    /// Streams a workspace's story: all of it so far, then what happens. Ends when it is deleted.
    #[oai(path = "/workspaces/:name/events", method = "get", operation_id = "stream_events")]
    async fn events(
        &self,
        app: Data<&App>,
        request: &Request,
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
        let lost = Stay::new(&app, request, granted.id()).lost::<caller::View>();
        let events = events::follow(&app, granted.id(), after, follow.0).take_until(Box::pin(lost)).boxed();
        Ok(EventStream::new(events)
            .to_event(|view| Event::message(view.to_json_string()).id(view.seq.to_string()))
            .keep_alive(KEEP_ALIVE))
    }

    /// Streams a workspace's log: builds, checkouts, hooks. History first, then live lines.
    #[oai(path = "/workspaces/:name/logs", method = "get", operation_id = "stream_logs")]
    async fn logs(
        &self,
        app: Data<&App>,
        request: &Request,
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
        let lost = Stay::new(&app, request, granted.id()).lost::<caller::View>();
        let lines = logs::follow(&app, granted.id(), after, follow.0).take_until(Box::pin(lost)).boxed();
        Ok(EventStream::new(lines)
            .to_event(|view| Event::message(view.to_json_string()).id(view.seq.to_string()))
            .keep_alive(KEEP_ALIVE))
    }

    /// Opens a terminal over a WebSocket: the remote user's login shell in the opened folder.
    ///
    /// Binary messages are bytes of the terminal, in both directions. Text messages are JSON: from the
    /// client `{"resize": [columns, rows]}` and `{"drawn": bytes}`, from the server `{"exit": code}` or
    /// `{"problem": {…}}` before it closes. `drawn` is how many bytes the client has dealt with since the
    /// beginning. A client that says so, at first 0, is sent at most a MiB beyond it; one that never does is
    /// sent everything at once. A request that asks for no WebSocket is refused.
    #[oai(path = "/workspaces/:name/terminal", method = "get", operation_id = "open_terminal")]
    async fn terminal(
        &self,
        app: Data<&App>,
        request: &Request,
        caller: Caller,
        name: Path<String>,
        /// How wide it is at first.
        #[oai(default = "eighty")]
        columns: Query<u16>,
        /// How high it is at first.
        #[oai(default = "twenty_four")]
        rows: Query<u16>,
        socket: WebSocket,
    ) -> Result<Switched, ApiError> {
        let granted: Granted<caller::Enter> = caller.may(&app, &name).await?;
        let stay = Stay::new(&app, request, granted.id());
        terminal::open(&app, &granted, stay, socket, (columns.0, rows.0)).await.map(Switched)
    }
}

const fn yes() -> bool {
    true
}

const fn eighty() -> u16 {
    80
}

const fn twenty_four() -> u16 {
    24
}
