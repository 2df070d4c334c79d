//! Create, list, show, change: what is asked for is recorded.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_new_workspace_has_its_address_at_once() {
    let world = World::start().await;
    let made = world.create().await;
    let slug = made["slug"].as_str().unwrap();
    assert_eq!(made["phase"], "pending");
    assert_eq!(made["source"], "https://git.example.com/fox/den.git");
    let port = world.address.rsplit(':').next().unwrap();
    assert_eq!(made["url"], format!("http://{slug}.localhost:{port}/"));
    for name in [slug, made["id"].as_str().unwrap()] {
        let shown = world.admin(Method::GET, &format!("/v1/workspaces/{name}")).send().await.unwrap();
        assert_eq!(shown.json::<Value>().await.unwrap()["id"], made["id"]);
    }
}

#[tokio::test]
async fn bad_sources_get_a_problem_with_a_hint() {
    let world = World::start().await;
    for source in ["", "not a url", "ftp://example.com/x", "https://", "javascript:alert(1)", "https://example.com"] {
        let answer =
            world.admin(Method::POST, "/v1/workspaces").json(&json!({ "source": source })).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{source}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["code"].as_str().is_some_and(|c| !c.is_empty()), "{source}: {problem}");
        assert!(problem["hint"].as_str().is_some_and(|h| !h.is_empty()), "{source}: {problem}");
    }
}

#[tokio::test]
async fn nonsense_is_a_problem_too() {
    let world = World::start().await;
    let cases = [
        (Method::POST, "/v1/workspaces", "{", 400),
        (Method::POST, "/v1/workspaces", "{}", 400),
        (Method::GET, "/v1/nothing", "", 404),
        (Method::PATCH, "/v1/workspaces", "", 405),
        (Method::GET, "/v1/workspaces?page=0", "", 400),
        (Method::GET, "/v1/workspaces/no-such-one", "", 404),
        (Method::GET, "/v1/workspaces/NOT%20A%20NAME", "", 404),
        (Method::POST, "/v1/workspaces/no-such-one/start", "", 404),
    ];
    for (method, path, body, status) in cases {
        let request = world.admin(method.clone(), path).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {path}");
        let problem: Value = answer.json().await.unwrap();
        for key in ["code", "message", "hint", "request_id"] {
            assert!(problem[key].as_str().is_some_and(|v| !v.is_empty()), "{method} {path}: {problem}");
        }
    }
}

#[tokio::test]
async fn secrets_in_a_url_are_never_shown() {
    let world = World::start().await;
    let body = json!({ "source": "https://fox:hunter2@git.example.com/fox/den.git" });
    let made = world.admin(Method::POST, "/v1/workspaces").json(&body).send().await.unwrap().text().await.unwrap();
    let list = world.admin(Method::GET, "/v1/workspaces").send().await.unwrap().text().await.unwrap();
    assert!(!made.contains("hunter2") && !list.contains("hunter2"), "{made}");
}

#[tokio::test]
async fn changes_of_mind_are_accepted_and_told() {
    let world = World::start().await;
    let made = world.create().await;
    let slug = made["slug"].as_str().unwrap();
    for (verb, desired) in [("stop", "stopped"), ("start", "running"), ("rebuild", "running")] {
        let answer = world.admin(Method::POST, &format!("/v1/workspaces/{slug}/{verb}")).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.json::<Value>().await.unwrap()["desired"], desired);
    }
    let deleted = world.admin(Method::DELETE, &format!("/v1/workspaces/{slug}")).send().await.unwrap();
    assert_eq!(deleted.status(), 202);
    let started = world.admin(Method::POST, &format!("/v1/workspaces/{slug}/start")).send().await.unwrap();
    assert_eq!(started.status(), 409, "what is being deleted is not started again");

    let path = format!("/v1/workspaces/{slug}/events?follow=false");
    let story = world.admin(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    let events: Vec<Value> = story
        .lines()
        .filter_map(|l| l.strip_prefix("data:"))
        .map(|d| serde_json::from_str(d.trim()).unwrap())
        .collect();
    let names: Vec<&str> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["created", "wanted", "wanted", "wanted", "wanted"]);
    assert!(
        story.contains(&format!("id: {}", events[0]["seq"])) || story.contains(&format!("id:{}", events[0]["seq"]))
    );

    let after = events[2]["seq"].to_string();
    let rest =
        world.admin(Method::GET, &path).header("last-event-id", &after).send().await.unwrap().text().await.unwrap();
    assert_eq!(rest.lines().filter(|l| l.starts_with("data:")).count(), 2);
}

#[tokio::test]
async fn a_name_that_is_taken_is_given_to_nobody_else() {
    let world = World::start().await;
    let made = world.create().await;
    let first = world.app.store.workspaces().load(made["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    let second = steading_core::Workspace { id: steading_core::WorkspaceId::new(), ..first.clone() };
    let second = steading_api::creation::insert(&world.app, second).await.unwrap();
    assert_ne!(second.slug, first.slug);
    assert_eq!(world.app.store.workspaces().load(second.id).await.unwrap().slug, second.slug);
}

#[tokio::test]
async fn a_stopped_workspace_cannot_be_entered() {
    let world = World::start().await;
    let made = world.create().await;
    let path = format!("/v1/workspaces/{}/exec", made["slug"].as_str().unwrap());
    let answer = world.admin(Method::POST, &path).json(&json!({ "cmd": ["true"] })).send().await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "workspace-not-running");
}
