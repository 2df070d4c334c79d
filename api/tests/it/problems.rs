//! Every answer that is an error is a Problem with an id, whoever gives it; people get a page.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt as _, Request, Response, handler};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use steading_api::{panics, request_id};

use crate::world::World;

/// The answer's status and code, once its form is right.
async fn problem(answer: reqwest::Response) -> (u16, String) {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(headers["content-type"], "application/problem+json", "{status}: {text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status, "{problem}");
    assert!(["message", "hint"].iter().all(|key| problem[key].as_str().is_some_and(|v| !v.is_empty())), "{problem}");
    let id = problem["request_id"].as_str().unwrap_or_default();
    assert!(id.len() == 16 && headers["x-request-id"] == *id, "{problem} {headers:?}");
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_part_answers_with_problems() {
    let world = World::start().await;
    let cases: [(Method, &str, &str, u16, &str); 8] = [
        (Method::GET, "/", "quiet-fox-7k2p.localhost", 401, "sign-in-required"),
        (Method::GET, "/", "a.b.localhost", 404, "not-found"),
        (Method::GET, "/.steading/enter", "quiet-fox-7k2p.localhost", 403, "ticket-invalid"),
        (Method::GET, "/enter?host=a&host=b", "localhost", 400, "bad-request"),
        (Method::GET, "/assets/none.js", "localhost", 404, "no-such-path"),
        (Method::POST, "/anything", "localhost", 405, "method-not-allowed"),
        (Method::PATCH, "/session", "localhost", 405, "method-not-allowed"),
        (Method::POST, "/session", "localhost", 415, "unsupported-media-type"),
    ];
    for (method, path, name, status, code) in cases {
        let answer = world.stranger(method.clone(), path).header("host", name).send().await.unwrap();
        assert_eq!(problem(answer).await, (status, code.to_owned()), "{method} {path} at {name}");
    }
}

/// What an operation is never asked for, because the request does not fit it.
#[tokio::test]
async fn operations_answer_with_what_their_document_says() {
    let world = World::start().await;
    let document: Value = serde_json::from_str(&steading_api::spec::document()).unwrap();
    let told = &document["paths"]["/workspaces"]["post"]["responses"];
    let post = || world.admin(Method::POST, "/v1/workspaces");
    let cases = [
        (world.admin(Method::PUT, "/v1/workspaces"), 405, "method-not-allowed"),
        (post().body(vec![b' '; (8 << 20) + 1]), 413, "body-too-large"),
        (post().header("content-type", "text/plain").body("{}"), 415, "unsupported-media-type"),
    ];
    for (request, status, code) in cases {
        assert_eq!(problem(request.send().await.unwrap()).await, (status, code.to_owned()));
        assert!(told[status.to_string()]["content"]["application/problem+json"].is_object(), "{told}");
    }
}

#[tokio::test]
async fn a_request_without_end_is_refused() {
    let world = World::start().await;
    let mut socket = TcpStream::connect(world.address.trim_start_matches("http://")).await.unwrap();
    let head = "POST /session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = socket.split();
    let mut answer = vec![0; 4096];
    let (mut sent, piece) = (0_u64, format!("400\r\n{}\r\n", " ".repeat(1024)));
    let flood = async {
        while to.write_all(piece.as_bytes()).await.is_ok() {
            sent += 1024;
        }
        std::future::pending::<()>().await;
    };
    let length = tokio::select! {
        () = flood => 0,
        length = from.read(&mut answer) => length.unwrap(),
    };
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("body-too-large") && answer.contains("larger than 16 KiB"), "{answer} after {sent}");
}

#[tokio::test]
async fn a_request_that_is_too_large_is_a_problem() {
    let world = World::start().await;
    let large = || "x".repeat((8 << 20) + 1);
    let send = async |request: reqwest::RequestBuilder, body: String| {
        let request = request.header("content-type", "application/json").body(body);
        problem(request.send().await.unwrap()).await
    };
    let too_large = (413, "body-too-large".to_owned());
    for path in ["/v1/workspaces", "/v1/resolve", "/v1/no-such-path"] {
        assert_eq!(send(world.admin(Method::POST, path), large()).await, too_large, "{path}");
        // Before a credential is shown nothing is read.
        let stranger = send(world.stranger(Method::POST, path), "x".repeat(20 << 10)).await;
        assert_eq!(stranger, (401, "not-signed-in".to_owned()), "{path}");
    }
    let keyed = world.admin(Method::POST, "/v1/workspaces").header("idempotency-key", "k");
    assert_eq!(send(keyed, large()).await, too_large);
    let waits = world.admin(Method::POST, "/v1/workspaces").header("expect", "100-continue");
    assert_eq!(send(waits, large()).await, too_large);
    let long = json!({ "source": "https://git.example.com/a/b", "reference": "r".repeat(1025) }).to_string();
    assert_eq!(send(world.admin(Method::POST, "/v1/workspaces"), long).await, (400, "bad-request".to_owned()));
}

#[tokio::test]
async fn a_server_without_that_part_says_so() {
    let world = World::control_only().await;
    let ask = || world.stranger(Method::GET, "/").header("host", "quiet-fox-7k2p.localhost");
    assert_eq!(problem(ask().send().await.unwrap()).await, (421, "wrong-server".to_owned()));
    let page = ask().header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("does not answer for that name"));
}

#[handler]
fn broken() {
    panic!("a secret of ours")
}

#[tokio::test]
async fn a_panic_is_an_answer_too() {
    let endpoint = Arc::new(poem::IntoEndpoint::into_endpoint(broken).with(panics::Panics).with(request_id::Named));
    let ask = async |accept: &str| -> Response {
        endpoint.call(Request::builder().header("accept", accept).finish()).await.unwrap()
    };
    let answer = ask("application/json").await;
    assert_eq!(answer.status().as_u16(), 500);
    let id = answer.header("x-request-id").unwrap().to_owned();
    let problem: Value = answer.into_body().into_json().await.unwrap();
    assert_eq!((&problem["code"], &problem["request_id"]), (&Value::from("internal"), &Value::from(id)));
    assert!(!problem.to_string().contains("secret"));
    let page = ask("text/html").await;
    assert!(page.into_body().into_string().await.unwrap().contains("<h1>Something went wrong</h1>"));
}
