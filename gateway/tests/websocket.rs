//! Upgraded connections: WebSockets and whatever else, byte for byte.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop where they stand")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use poem::web::websocket;
use poem::{Route, handler};
use steading_core::routes::{Stale, Visibility};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use world::{IDE, World, program, raw_program, read_head};

#[handler]
fn echo(socket: websocket::WebSocket) -> impl poem::IntoResponse {
    socket.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            // The answer to a farewell is sent while reading on.
            if !matches!(message, websocket::Message::Close(_)) && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

async fn connect(world: &World, headers: &[(&'static str, String)]) -> Result<WebSocketStream<TcpStream>, Error> {
    connect_to(world, "fox", headers).await
}

async fn connect_to(
    world: &World,
    label: &str,
    headers: &[(&'static str, String)],
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{}/ws", world.host(label)).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    let stream = TcpStream::connect(world.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

fn cookie() -> (&'static str, String) {
    ("cookie", "steading_entry=mine".to_owned())
}

fn status<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    }
}

async fn world() -> World {
    let world = World::start().await;
    world.open(IDE, program(Route::new().at("/ws", poem::get(echo))).await);
    world
}

#[tokio::test]
async fn messages_of_every_size_come_back_as_they_were() {
    let world = world().await;
    let own = ("origin", format!("http://{}", world.host("fox")));
    let mut socket = connect(&world, &[cookie(), own]).await.unwrap();
    for size in [0, 1, 125, 126, 65_535, 65_536, 3 << 20] {
        let sent = Message::binary(vec![size as u8; size]);
        socket.send(sent.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), sent);
    }
    socket.send(Message::text("grüß")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("grüß"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    socket.send(Message::text("still there?")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still there?"));
    let bytes: u64 = world.gateway.pulse().drain().iter().map(|a| a.bytes).sum();
    assert!(bytes > 3 << 20);
    socket.close(None).await.unwrap();
    while let Some(message) = socket.next().await {
        assert!(message.unwrap().is_close());
    }
}

#[tokio::test]
async fn only_the_hosts_own_pages_may_open_one() {
    let world = world().await;
    assert_eq!(status(connect(&world, &[]).await), 401);
    for origin in ["http://evil.example".to_owned(), "null".to_owned(), format!("http://{}", world.host("hare"))] {
        assert_eq!(status(connect(&world, &[cookie(), ("origin", origin)]).await), 403);
    }
    assert_eq!(status(connect(&world, &[cookie(), ("sec-fetch-site", "cross-site".to_owned())]).await), 403);
    assert_eq!(status(connect(&world, &[cookie()]).await), 101);
}

#[tokio::test]
async fn other_sites_may_open_one_to_a_public_port_as_anybody() {
    let world = world().await;
    world.open(3000, program(Route::new().at("/ws", poem::get(echo))).await);
    let foreign = ("origin", "http://evil.example".to_owned());
    let as_anybody = async || status(connect_to(&world, "3000-fox", std::slice::from_ref(&foreign)).await);
    assert_eq!(as_anybody().await, 401);
    world
        .change(|fox| {
            fox.visibility.insert(3000, Visibility::Public);
        })
        .await;
    assert_eq!(as_anybody().await, 101);
    assert_eq!(status(connect_to(&world, "3000-fox", &[cookie(), foreign.clone()]).await), 403);
    assert_eq!(status(connect(&world, std::slice::from_ref(&foreign)).await), 401, "the editor is never public");
    let made_up = ("cookie", "steading_entry=nobody".to_owned());
    assert_eq!(status(connect_to(&world, "3000-fox", &[made_up, foreign.clone()]).await), 403);
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let world = World::start().await;
    let address = raw_program(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        assert!(!head.contains("steading_entry"));
        stream.write_all(b"HTTP/1.1 418 No\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    });
    world.open(IDE, address.await);
    assert_eq!(status(connect(&world, &[cookie()]).await), 418);
}

/// Upgrades to a protocol of the test's own, and gives both ends.
async fn odd(world: &World) -> (TcpStream, TcpStream) {
    let (ends, mut end) = mpsc::channel(1);
    let address = raw_program(move |_, mut stream| {
        let ends = ends.clone();
        async move {
            read_head(&mut stream).await;
            // The first bytes of the new protocol come with the head.
            let answer = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\nhello";
            stream.write_all(answer).await.unwrap();
            ends.send(stream).await.unwrap();
        }
    });
    world.open(IDE, address.await);
    let mut client = TcpStream::connect(world.address).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\ncookie: steading_entry=mine\r\nconnection: Upgrade\r\nupgrade: odd\r\n\r\nearly",
        world.host("fox")
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 Switching\r\n") && head.contains("upgrade: odd"), "{head}");
    let mut first = [0; 5];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"hello");
    let mut server = end.recv().await.unwrap();
    server.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"early");
    (client, server)
}

#[tokio::test]
async fn any_protocol_passes_and_each_side_may_end_first() {
    let world = World::start().await;
    let (mut client, mut server) = odd(&world).await;
    client.write_all(b"\0\xff\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"\0\xff\r\n");
    server.write_all(b"still here").await.unwrap();
    server.shutdown().await.unwrap();
    got.clear();
    client.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"still here");
}

#[tokio::test]
async fn a_side_that_breaks_off_breaks_the_other_off() {
    let world = World::start().await;
    for client_breaks in [true, false] {
        let (client, server) = odd(&world).await;
        let (broken, mut other) = if client_breaks { (client, server) } else { (server, client) };
        // Closing at once, without a farewell: the peer gets a reset.
        socket2::SockRef::from(&broken).set_linger(Some(Duration::ZERO)).unwrap();
        drop(broken);
        let read = tokio::time::timeout(Duration::from_secs(2), other.read(&mut [0; 8])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn signing_out_closes_what_is_open() {
    let world = world().await;
    let mut socket = connect(&world, &[cookie()]).await.unwrap();
    world.tell(Stale::Entries).await;
    socket.send(Message::text("a")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("a"));
    world.records.entries.lock().unwrap().clear();
    world.tell(Stale::Entries).await;
    let end = tokio::time::timeout(Duration::from_secs(2), socket.next()).await.unwrap();
    assert!(matches!(end, None | Some(Err(_))));
}

#[tokio::test]
async fn a_tunnel_goes_on_while_the_workspaces_record_changes() {
    let world = world().await;
    let mut socket = connect(&world, &[cookie()]).await.unwrap();
    for _ in 0..3 {
        world.change(|_| {}).await;
    }
    socket.send(Message::text("a")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("a"));
}

#[tokio::test]
async fn what_nobody_reads_is_not_collected() {
    let world = World::start().await;
    let (mut client, server) = odd(&world).await;
    let piece = vec![0; 1 << 16];
    let mut sent = 0;
    while let Ok(wrote) = tokio::time::timeout(Duration::from_millis(300), client.write(&piece)).await {
        sent += wrote.unwrap();
        assert!(sent < 64 << 20, "{sent} bytes were taken though nobody read them");
    }
    drop(server);
}
