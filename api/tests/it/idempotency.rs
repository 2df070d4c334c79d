//! One key, one workspace.

use reqwest::Method;
use serde_json::{Value, json};

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
    let made: std::collections::BTreeSet<String> =
        all.iter().filter(|(status, _)| *status == 201).map(|(_, w)| w["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(made.len(), 1);
    assert!(all.iter().all(|(status, body)| *status == 201 || body["code"] == "idempotency-in-progress"), "{all:?}");
    let list: Value = world.admin(Method::GET, "/v1/workspaces").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["total"], 1);
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let world = World::start().await;
    let (status, body) = create(&world, Some(&"k".repeat(256)), DEN).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("idempotency-key-malformed")));
}
