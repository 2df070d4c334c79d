//! What passes between a browser and a program in a workspace, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop where they stand")]

#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use poem::web::Data;
use poem::{Body, EndpointExt as _, Request, Response, Route, handler};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use world::{IDE, World, json, program, raw_program, read_head, text};

#[handler]
fn mirror(request: &Request) -> Response {
    let headers: Vec<_> =
        request.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
    let seen = serde_json::json!({ "method": request.method().as_str(), "uri": request.uri().to_string(), "headers": headers });
    Response::builder()
        .header("x-mine", "1")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("set-cookie", "sid=1; Domain=localhost; HttpOnly")
        .header("set-cookie", "steading_entry=evil; Path=/")
        .body(seen.to_string())
}

#[handler]
async fn count(body: Body) -> String {
    let total = body.into_bytes_stream().fold(0, |sum, piece| async move { sum + piece.unwrap().len() }).await;
    total.to_string()
}

async fn mirrored(world: &World, request: http::Request<&'static str>) -> (http::HeaderMap, serde_json::Value) {
    let answer = world.send(request).await;
    assert_eq!(answer.status(), 200);
    (answer.headers().clone(), json(answer).await)
}

fn seen<'a>(value: &'a serde_json::Value, name: &str) -> Vec<&'a str> {
    let headers = value["headers"].as_array().unwrap().iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn headers_change_only_where_they_must() {
    let world = World::start().await;
    world.open(IDE, program(Route::new().at("/*any", mirror)).await);
    let request = world
        .ours("/a%20b?c=%2F")
        .header("cookie", "sid=2; steading_session=x")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-steading-user", "root")
        .header("authorization", "Bearer theirs")
        .header("connection", "x-private")
        .header("x-private", "1");
    let (headers, value) = mirrored(&world, request.body("").unwrap()).await;
    assert_eq!(value["uri"], "/a%20b?c=%2F");
    assert_eq!(seen(&value, "host"), [world.host("fox")]);
    assert_eq!(seen(&value, "cookie"), ["sid=2"]);
    assert_eq!(seen(&value, "authorization"), ["Bearer theirs"]);
    assert_eq!(seen(&value, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen(&value, "x-forwarded-host"), [world.host("fox")]);
    assert_eq!(seen(&value, "x-forwarded-proto"), ["http"]);
    assert!(seen(&value, "x-steading-user").is_empty() && seen(&value, "x-private").is_empty());

    assert_eq!(headers["x-mine"], "1");
    assert!(!headers.contains_key("x-hop"));
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["sid=1; HttpOnly"]);
}

#[tokio::test]
async fn connections_into_the_workspace_are_used_again_until_it_changes() {
    let world = World::start().await;
    world.open(IDE, program(Route::new().at("/count", poem::post(count).get(count))).await);
    for body in ["", "abc", "", "de"] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let request = world.ours("/count").method(method).body(body).unwrap();
        assert_eq!(text(world.send(request).await).await, body.len().to_string());
    }
    // Each thread has its own; the client may have come over several connections.
    let before = world.dialled();
    assert!(before <= std::thread::available_parallelism().unwrap().get(), "{before} connections");
    world.change(|_| {}).await;
    assert_eq!(world.send(world.ours("/count").body("").unwrap()).await.status(), 200);
    assert_eq!(world.dialled(), before + 1);
}

/// Answers one request on each connection as if it would answer more, then hangs up on the next.
async fn fickle(mut stream: TcpStream) {
    read_head(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    read_head(&mut stream).await;
}

#[tokio::test]
async fn a_connection_that_breaks_at_its_second_use_is_not_the_clients_concern() {
    let world = World::start().await;
    world.open(IDE, raw_program(|_, stream| fickle(stream)).await);
    for _ in 0..3 {
        let answer = world.send(world.ours("/").body("").unwrap()).await;
        assert_eq!((answer.status().as_u16(), text(answer).await.as_str()), (200, "ok"));
    }
    // What may not be done twice is not: the second one is lost and says so.
    let answer = world.send(world.ours("/").method("POST").body("x").unwrap()).await;
    assert_eq!(answer.status(), 503);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_is_not_used() {
    let world = World::start().await;
    let address = raw_program(|_, mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    });
    world.open(IDE, address.await);
    for method in ["GET", "POST", "POST"] {
        let answer = world.send(world.ours("/").method(method).body("").unwrap()).await;
        assert_eq!(text(answer).await, "ok");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(world.dialled(), 3);
}

#[tokio::test]
async fn an_upload_is_streamed_and_never_collected() {
    let world = World::start().await;
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let address = raw_program(move |_, mut stream| {
        let go = Arc::clone(&waiting);
        async move {
            read_head(&mut stream).await;
            go.notified().await;
            let mut left = SIZE;
            let mut buffer = vec![0; 1 << 16];
            while left > 0 {
                left -= stream.read(&mut buffer).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await.unwrap();
        }
    });
    const SIZE: usize = 96 << 20;
    world.open(IDE, address.await);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /up HTTP/1.1\r\nhost: {}\r\ncookie: steading_entry=mine\r\ncontent-length: {SIZE}\r\n\r\n",
        world.host("fox")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 1 << 16];
    let mut sent = 0;
    // The program does not read: only what sockets and small buffers hold can leave.
    while let Ok(wrote) = tokio::time::timeout(Duration::from_millis(500), stream.write(&piece)).await {
        sent += wrote.unwrap();
    }
    assert!(sent < SIZE / 4, "{sent} bytes were taken though nobody read them");
    go.notify_one();
    while sent < SIZE {
        sent += stream.write(&piece[..piece.len().min(SIZE - sent)]).await.unwrap();
    }
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let pulse: u64 = world.gateway.pulse().drain().iter().map(|a| a.bytes).sum();
    assert!(pulse >= SIZE as u64);
}

#[handler]
fn events(go: Data<&Arc<Notify>>) -> Response {
    let go = Arc::clone(&go);
    let stream = futures::stream::iter(0..3).then(move |n| {
        let go = Arc::clone(&go);
        async move {
            if n > 0 {
                go.notified().await;
            }
            Ok::<_, std::io::Error>(format!("data: {n}\n\n"))
        }
    });
    Response::builder().content_type("text/event-stream").body(Body::from_bytes_stream(stream))
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_made() {
    let world = World::start().await;
    let go = Arc::new(Notify::new());
    world.open(IDE, program(Route::new().at("/events", poem::get(events)).data(Arc::clone(&go))).await);
    let answer = world.send(world.ours("/events").body("").unwrap()).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    for n in 0..3 {
        let frame = tokio::time::timeout(Duration::from_secs(2), body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), format!("data: {n}\n\n"));
        go.notify_one();
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_client_that_has_ended_its_side_still_gets_its_answer() {
    let world = World::start().await;
    let address = raw_program(|_, mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // And a program that ends its side is the end of the answer.
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nlate").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    world.open(IDE, address.await);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: {}\r\ncookie: steading_entry=mine\r\n\r\n", world.host("fox"));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("late"), "{answer}");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_it_for_the_program_too() {
    let world = World::start().await;
    let ended = Arc::new(Notify::new());
    let told = Arc::clone(&ended);
    let address = raw_program(move |_, mut stream| {
        let ended = Arc::clone(&told);
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n").await.unwrap();
            while stream.write_all(b"1\r\nb\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            ended.notify_one();
        }
    });
    world.open(IDE, address.await);
    let answer = world.send(world.ours("/").body("").unwrap()).await;
    drop(answer);
    tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.unwrap();
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let world = World::start().await;
    world.open(IDE, program(Route::new().at("/count", poem::post(count))).await);
    let head = |cookie: &str| {
        let host = world.host("fox");
        format!(
            "POST /count HTTP/1.1\r\nhost: {host}\r\n{cookie}content-length: 3\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head("cookie: steading_entry=mine\r\n").as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");

    assert!(world.raw(&head("")).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn lengths_and_trailers_are_kept() {
    let world = World::start().await;
    let address = raw_program(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        let answer: &[u8] = if head.starts_with("HEAD") {
            b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\nconnection: close\r\n\r\n"
        } else {
            assert!(head.contains("te: trailers"), "{head}");
            b"HTTP/1.1 203 Quite Fine\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n2\r\nab\r\n0\r\nx-sum: 9\r\n\r\n"
        };
        stream.write_all(answer).await.unwrap();
    });
    world.open(IDE, address.await);
    let ask = |method: &str, more: &str| {
        let host = world.host("fox");
        format!("{method} / HTTP/1.1\r\nhost: {host}\r\ncookie: steading_entry=mine\r\n{more}\r\n")
    };
    let head = world.raw(&ask("HEAD", "connection: close\r\n")).await;
    assert!(head.contains("content-length: 12345") && head.ends_with("\r\n\r\n"), "{head}");
    let answer = world.raw(&ask("GET", "te: trailers\r\nconnection: te, close\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 203 Quite Fine\r\n"), "{answer}");
    assert!(answer.ends_with("2\r\nab\r\n0\r\nx-sum: 9\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_of_unknown_length_passes_both_ways_at_once() {
    let world = World::start().await;
    #[handler]
    fn echo(body: Body) -> Response {
        Response::builder().body(Body::from_bytes_stream(body.into_bytes_stream()))
    }
    world.open(IDE, program(Route::new().at("/echo", poem::post(echo))).await);
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (pieces, body) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = futures::stream::unfold(body, |mut body| async {
        let piece = body.recv().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(piece)), body))
    });
    let request = world.ours("/echo").method("POST").body(StreamBody::new(Box::pin(body))).unwrap();
    pieces.send(Bytes::from_static(b"0")).await.unwrap();
    let mut answer = sender.send_request(request).await.unwrap().into_body();
    for n in 1..50u8 {
        let frame = tokio::time::timeout(Duration::from_secs(2), answer.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), Bytes::from((n - 1).to_string()));
        pieces.send(Bytes::from(n.to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let world = World::start().await;
    let host = world.host("fox");
    let twice = format!("GET / HTTP/1.1\r\nhost: {host}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(world.raw(&twice).await.starts_with("HTTP/1.1 404"));
    let connect = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    assert!(world.raw(&connect).await.starts_with("HTTP/1.1 400"));
    let absolute = format!("GET http://localhost/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    assert!(world.raw(&absolute).await.starts_with("HTTP/1.1 404"));
    let smuggled = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello");
    assert!(world.raw(&smuggled).await.starts_with("HTTP/1.1 400"));
}
