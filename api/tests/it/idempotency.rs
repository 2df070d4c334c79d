//! One key, one workspace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt as _, Request, Response};
use reqwest::Method;
use serde_json::{Value, json};

use chrono::TimeDelta;
use steading_api::creation;
use steading_api::idempotency::Replay;
use steading_api::routes::workspaces::NewWorkspaceView;
use steading_core::{Desired, Owner, Source, Workspace};

use crate::world::World;

async fn create(world: &World, key: Option<&str>, source: &str) -> (u16, Value) {
    let mut request = world.admin(Method::POST, "/v1/workspaces").json(&json!({ "source": source }));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

const DEN: &str = "https://git.example.com/fox/den.git";

#[tokio::test]
async fn the_same_key_replays_the_first_answer() {
    let world = World::start().await;
    let first = create(&world, Some("k1"), DEN).await;
    let second = create(&world, Some("k1"), DEN).await;
    assert_eq!(first, second);
    assert_eq!(first.0, 201);
    let (status, other) = create(&world, Some("k1"), "https://git.example.com/fox/other.git").await;
    assert_eq!((status, other["code"].as_str()), (422, Some("idempotency-mismatch")));
}

#[tokio::test]
async fn without_a_key_two_requests_are_two_workspaces() {
    let world = World::start().await;
    let (_, first) = create(&world, None, DEN).await;
    let (_, second) = create(&world, None, DEN).await;
    assert_ne!(first["id"], second["id"]);
    assert_ne!(first["slug"], second["slug"]);
}

#[tokio::test]
async fn a_hundred_at_once_make_one() {
    let world = World::start().await;
    let all = futures::future::join_all((0..100).map(|_| create(&world, Some("k2"), DEN))).await;
    assert!(all.iter().all(|answer| *answer == all[0] && answer.0 == 201), "{all:?}");
    let list: Value = world.admin(Method::GET, "/v1/workspaces").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["total"], 1);
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let world = World::start().await;
    let (status, body) = create(&world, Some(&"k".repeat(256)), DEN).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("idempotency-key-malformed")));
}

#[tokio::test]
async fn a_request_for_a_token_cannot_have_a_key() {
    let world = World::start().await;
    let request = world.admin(Method::POST, "/v1/tokens").header("idempotency-key", "k");
    let answer = request.json(&json!({ "name": "ci" })).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "idempotency-key-refused");
    let list: Value = world.admin(Method::GET, "/v1/tokens").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_key_of_yesterday_is_a_new_one_and_a_lost_answer_is_found() {
    let world = World::start().await;
    let workspaces = world.app.store.workspaces();
    let once = async |age: TimeDelta| {
        let (owner, source) = (Owner::User(world.app.admin()), Source::parse(DEN, false).unwrap());
        let fresh = |id| {
            let body = NewWorkspaceView { source: DEN.to_owned(), reference: None, config: None, template: None };
            let made = creation::workspace(id, owner, source.clone(), &body, world.app.config.limits());
            Workspace { created_at: made.created_at - age, ..made }
        };
        creation::insert_once(&world.app, "k", fresh).await.unwrap().id
    };
    let old = once(TimeDelta::hours(25)).await;
    let new = once(TimeDelta::zero()).await;
    assert_ne!(new, old, "yesterday's workspace is no answer to today's request");
    assert_eq!(once(TimeDelta::zero()).await, new, "an answer that was lost");
    workspaces.want(new, Desired::Deleted).await.unwrap();
    let last = once(TimeDelta::zero()).await;
    assert!(last != new && last != old, "what is being deleted is no answer");
    assert_eq!(once(TimeDelta::zero()).await, last);
}

/// An operation that takes its time, counts how often it is begun, and panics when its body says so.
fn slow(world: &World, takes: Duration) -> (impl Endpoint<Output = Response> + use<>, Arc<AtomicU32>) {
    let begun = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&begun);
    let endpoint = poem::endpoint::make(move |request: Request| {
        let begun = Arc::clone(&counter);
        async move {
            let which = begun.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(takes).await;
            assert!(request.uri().path() != "/panics" || which > 0, "as it was told");
            poem::Result::<String>::Ok(format!("answer {which}"))
        }
    });
    (endpoint.with(Replay).data(world.app.clone()).map_to_response(), begun)
}

fn post(path: &str) -> Request {
    Request::builder()
        .method(Method::POST)
        .uri_str(path)
        .header("authorization", format!("Bearer {}", crate::world::ADMIN_TOKEN))
        .header("idempotency-key", "k")
        .finish()
}

#[tokio::test]
async fn the_work_goes_on_without_the_client_and_is_done_once() {
    let world = World::start().await;
    let (endpoint, begun) = slow(&world, Duration::from_millis(600));
    let is_begun = async {
        while begun.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // The connection drops before the answer.
    tokio::select! {
        _ = endpoint.call(post("/x")) => panic!("it was answered at once"),
        () = is_begun => {}
    }
    let again = endpoint.call(post("/x")).await.unwrap();
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.into_body().into_string().await.unwrap(), "answer 0");
    assert_eq!(begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_panic_frees_the_key() {
    let world = World::start().await;
    let (endpoint, begun) = slow(&world, Duration::from_millis(10));
    let endpoint = endpoint.with(CatchPanic::new());
    let first = endpoint.get_response(post("/panics")).await;
    assert_eq!(first.status(), 500);
    let again = endpoint.get_response(post("/panics")).await;
    assert_eq!(again.into_body().into_string().await.unwrap(), "answer 1");
    assert_eq!(begun.load(Ordering::Relaxed), 2);
}
