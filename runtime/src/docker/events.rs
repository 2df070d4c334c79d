//! What happens to containers, as it happens.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use chrono::Utc;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use steading_core::runtime::RuntimeEvent;
use tokio::sync::mpsc;

use super::Docker;
use crate::labels;

/// Before the engine is asked again after it hung up; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Events that wait for a slow reader; more than that and it is told to look at everything.
const WAITING: usize = 1024;
/// What makes a container look different. An exec does not.
const ACTIONS: [&str; 6] = ["start", "die", "pause", "unpause", "destroy", "oom"];

/// Events of this installation, for ever. The task behind it ends when nobody listens any more.
pub fn watch(docker: Docker) -> BoxStream<'static, RuntimeEvent> {
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        tokio::select! {
            () = follow(&docker, &send) => {}
            // Whoever listens answers for the workspaces, and stays.
            () = docker.network.keep(&docker) => {}
            () = send.closed() => {}
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receive).boxed()
}

async fn follow(docker: &Docker, send: &mpsc::Sender<RuntimeEvent>) {
    let mut pause = FIRST_PAUSE;
    let mut gap = false;
    // What happens while we connect is asked for afterwards; a clock that differs costs a doubled look.
    let mut since = Utc::now();
    loop {
        if let Ok(client) = docker.engine.client().await {
            let mut filter = docker.names.filter();
            filter.insert("type".to_owned(), vec!["container".to_owned()]);
            filter.insert("event".to_owned(), ACTIONS.map(str::to_owned).to_vec());
            let since = format!("{}.{:09}", since.timestamp(), since.timestamp_subsec_nanos());
            let options = EventsOptionsBuilder::new().filters(&filter).since(&since).build();
            let mut events = client.events(Some(options)).boxed();
            if gap && client.ping().await.is_ok() {
                tell(send, RuntimeEvent::Lost).await;
            }
            while let Some(Ok(event)) = events.next().await {
                pause = FIRST_PAUSE;
                if let Some(event) = changed(docker, event) {
                    tell(send, event).await;
                }
            }
        }
        gap = true;
        since = Utc::now();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn changed(docker: &Docker, event: EventMessage) -> Option<RuntimeEvent> {
    let attributes: HashMap<String, String> = event.actor?.attributes?;
    let id = labels::workspace(&attributes)?;
    if matches!(event.action.as_deref(), Some("die" | "destroy" | "start")) {
        docker.places.restarted(id);
    }
    Some(RuntimeEvent::Changed(id))
}

async fn tell(send: &mpsc::Sender<RuntimeEvent>, event: RuntimeEvent) {
    let _ = send.send(event).await;
}
