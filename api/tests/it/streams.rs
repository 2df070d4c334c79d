//! Terminals and streams of events, and that they end with the credential that opened them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use steading_core::WorkspaceId;
use steading_core::image::ImageRef;
use steading_core::pod::PodSpec;
use steading_core::runtime::{Process, ProcessControl};
use steading_core::workspace::Change;
use steading_runtime::conformance::{Fixture, Lines};
use steading_runtime::fake::Fake;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::world::World;

/// Longer than the pause between two looks at a credential.
const SOON: Duration = Duration::from_secs(90);

/// A workspace whose container runs, as a worker would have left it.
async fn running(world: &World) -> WorkspaceId {
    let made = world.create().await;
    let id: WorkspaceId = made["id"].as_str().unwrap().parse().unwrap();
    let image = ImageRef::new("fake:1");
    world.app.runtime.pull(&image, &Lines::default()).await.unwrap();
    let fixture = Fixture { image, server: vec!["serve".to_owned()] };
    let spec = PodSpec { workspace: id, slug: made["slug"].as_str().unwrap().parse().unwrap(), ..fixture.spec() };
    world.app.runtime.up(&spec).await.unwrap();
    let workspaces = world.app.store.workspaces();
    let lease = world.app.store.leases().acquire(id, "test", SOON).await.unwrap().unwrap();
    let seen = workspaces.load(id).await.unwrap();
    workspaces.record(&lease, &seen, vec![Change::Spec(Box::new(spec))], Vec::new()).await.unwrap();
    id
}

async fn terminal(world: &World, id: WorkspaceId, header: (&'static str, &str)) -> WebSocketStream<TcpStream> {
    let url = format!("{}/v1/workspaces/{id}/terminal?columns=100&rows=30", world.address.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(header.0, header.1.parse().unwrap());
    let stream = TcpStream::connect(world.address.trim_start_matches("http://")).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    tokio::time::timeout(SOON, socket.next()).await.expect("silence").expect("no end").unwrap()
}

async fn says_goodbye(socket: &mut WebSocketStream<TcpStream>) {
    let Message::Text(last) = next(socket).await else { panic!("no last word") };
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["problem"]["code"], "not-signed-in", "{last}");
    assert!(last["problem"]["hint"].is_string(), "{last}");
    assert!(matches!(next(socket).await, Message::Close(_)));
}

#[tokio::test]
async fn what_is_typed_reaches_the_terminal_as_frames() {
    let world = World::start().await;
    let id = running(&world).await;
    let cookie = world.cookie().await;
    let mut socket = terminal(&world, id, ("cookie", &cookie)).await;
    socket.send(Message::binary(b"ls\n".to_vec())).await.unwrap();
    socket.send(Message::text(r#"{"resize":[132,43]}"#)).await.unwrap();
    let mut shown = Vec::new();
    while shown.len() < 17 {
        let Message::Binary(bytes) = next(&mut socket).await else { panic!("no bytes") };
        shown.extend_from_slice(&bytes);
    }
    assert_eq!(shown, b"\x01\0\0\0\x03ls\n\x02\0\0\0\x04\0\x84\0\x2b");
}

/// Takes bytes until there are so many, or none for a while.
async fn taken(socket: &mut WebSocketStream<TcpStream>, most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        match tokio::time::timeout(Duration::from_secs(2), socket.next()).await {
            Ok(Some(Ok(Message::Binary(bytes)))) => taken += bytes.len(),
            Err(_) => break,
            Ok(other) => panic!("{other:?}"),
        }
    }
    taken
}

#[tokio::test]
async fn a_browser_is_sent_no_more_than_it_draws() {
    let world = World::start().await;
    let id = running(&world).await;
    let cookie = world.cookie().await;
    let (typed, mib) = (1536 << 10, 1 << 20);
    // What is typed comes back, with a head of five bytes for each 64 KiB.
    let shown = typed + typed / (64 << 10) * 5;
    let mut drawing = terminal(&world, id, ("cookie", &cookie)).await;
    drawing.send(Message::text(r#"{"drawn":0}"#)).await.unwrap();
    drawing.send(Message::binary(vec![7; typed])).await.unwrap();
    let first = taken(&mut drawing, shown).await;
    assert!(first > mib && first < mib + (256 << 10), "{first}");
    drawing.send(Message::text(format!(r#"{{"drawn":{first}}}"#))).await.unwrap();
    assert_eq!(first + taken(&mut drawing, shown - first).await, shown);

    let mut plain = terminal(&world, id, ("cookie", &cookie)).await;
    plain.send(Message::binary(vec![7; typed])).await.unwrap();
    assert_eq!(taken(&mut plain, shown).await, shown, "a client that says nothing is not waited for");
}

/// Tells when nobody holds it any more.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl ProcessControl for Held {
    async fn resize(&self, _columns: u16, _rows: u16) -> steading_core::runtime::Result<()> {
        Ok(())
    }

    async fn exit_code(&self) -> steading_core::runtime::Result<i64> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_command_is_let_go_when_nobody_waits_for_it() {
    let fake = Arc::new(Fake::new());
    let over = Arc::new(AtomicBool::new(false));
    let control = over.clone();
    // A command that never says anything.
    fake.on_process(move |_, exec| {
        assert!(exec.stdin && exec.command[..2] == ["/opt/steading/bin/inside", "run"], "{exec:?}");
        let control = Box::new(Held(control.clone()));
        Some(Process { stdin: Some(Box::new(tokio::io::sink())), output: futures::stream::pending().boxed(), control })
    });
    let world = World::on(fake).await;
    let id = running(&world).await;
    let path = format!("/v1/workspaces/{id}/exec");
    let asked = |body: Value| world.admin(Method::POST, &path).json(&body);
    let late = asked(json!({ "cmd": ["sleep", "600"], "timeout_seconds": 1 })).send().await.unwrap();
    assert_eq!(late.json::<Value>().await.unwrap()["code"], "exec-timeout");
    assert!(over.swap(false, Ordering::Relaxed));
    let left = asked(json!({ "cmd": ["sleep", "600"] })).timeout(Duration::from_millis(500));
    assert!(left.send().await.unwrap_err().is_timeout());
    let let_go = async {
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), let_go).await.expect("somebody still waits for it");
}

#[tokio::test]
async fn signing_out_ends_what_the_session_opened_and_nothing_else() {
    let world = World::start().await;
    let id = running(&world).await;
    let (mine, other) = (world.cookie().await, world.cookie().await);
    let mut ending = terminal(&world, id, ("cookie", &mine)).await;
    let mut staying = terminal(&world, id, ("cookie", &other)).await;
    let stream = async |kind: &str| {
        let path = format!("/v1/workspaces/{id}/{kind}");
        world.stranger(Method::GET, &path).header("cookie", &mine).send().await.unwrap()
    };
    let (events, logs) = (stream("events").await, stream("logs").await);
    assert_eq!((events.status(), logs.status()), (200.try_into().unwrap(), 200.try_into().unwrap()));
    // The browser's own terminals and streams end; the body of each comes to an end.
    let out = world.stranger(Method::DELETE, "/session").header("cookie", &mine).send().await.unwrap();
    assert_eq!(out.status(), 204);
    says_goodbye(&mut ending).await;
    for stream in [events, logs] {
        tokio::time::timeout(SOON, stream.bytes()).await.expect("it goes on").unwrap();
    }
    staying.send(Message::binary(b"x".to_vec())).await.unwrap();
    assert_eq!(next(&mut staying).await, Message::binary(b"\x01\0\0\0\x01x".to_vec()));
}

#[tokio::test]
async fn a_revoked_token_ends_what_it_opened() {
    let world = World::start().await;
    let id = running(&world).await;
    let body = json!({ "name": "ci", "scope": "all" });
    let made: Value = world.admin(Method::POST, "/v1/tokens").json(&body).send().await.unwrap().json().await.unwrap();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let mut socket = terminal(&world, id, ("authorization", &bearer)).await;
    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.admin(Method::DELETE, &path).send().await.unwrap().status(), 204);
    says_goodbye(&mut socket).await;
}

#[tokio::test]
async fn a_container_that_goes_ends_its_terminals_with_a_reason() {
    let world = World::start().await;
    let id = running(&world).await;
    let cookie = world.cookie().await;
    let mut socket = terminal(&world, id, ("cookie", &cookie)).await;
    socket.close(None).await.unwrap();
    world.app.runtime.remove(id).await.unwrap();
    let url = format!("/v1/workspaces/{id}/terminal");
    let upgrade = world.stranger(Method::GET, &url).header("cookie", &cookie).header("connection", "upgrade");
    let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let refused = upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "container-gone");
}
