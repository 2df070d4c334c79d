//! Private by default: whatever is mounted refuses a stranger, unless it stands on a short public list.

use reqwest::Method;
use serde_json::Value;

use crate::world::World;

/// What anybody may see: whether the server lives, what it is, and the empty page that asks them to sign in.
const PUBLIC: [&str; 3] = ["GET /v1/health/live", "GET /v1/health/ready", "GET /v1/version"];

/// Mounted beside the document.
const UNDOCUMENTED: [&str; 3] =
    ["GET /v1/workspaces/quiet-fox-7k2p/terminal", "DELETE /session", "GET /v1/workspaces/quiet-fox-7k2p/terminal?x=1"];

fn documented() -> Vec<String> {
    let document: Value = serde_json::from_str(&steading_api::spec::document()).unwrap();
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{name}", "quiet-fox-7k2p").replace("{port}", "3000").replace("{id}", "tok_x");
            assert!(!path.contains('{'), "{path} has a parameter that this test does not know");
            all.push(format!("{} /v1{path}", method.to_uppercase()));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_refuses_strangers() {
    let world = World::start().await;
    world.create().await;
    let all = documented().into_iter().chain(UNDOCUMENTED.map(str::to_owned));
    for operation in all.filter(|o| !PUBLIC.contains(&o.as_str())) {
        let (method, path) = operation.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // A body that would be right somewhere must not decide before the credential does.
        for body in [None, Some("{}"), Some("{\"source\":\"https://git.example.com/a/b\"}"), Some("nonsense")] {
            let mut request = world.stranger(method.clone(), path);
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{operation} answers a stranger who sends {body:?}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{operation}");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "not-signed-in", "{operation}");
            assert!(problem["hint"].is_string() && problem["request_id"] != "", "{operation}: {problem}");
        }
        let answer = world.stranger(method, path).bearer_auth("st_wrong").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{operation} takes a wrong token");
    }
}

#[tokio::test]
async fn a_websocket_refuses_strangers_and_other_origins() {
    let world = World::start().await;
    let created = world.create().await;
    let path = format!("/v1/workspaces/{}/terminal", created["slug"].as_str().unwrap());
    let upgrade = |request: reqwest::RequestBuilder| {
        request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .send()
    };
    let stranger = upgrade(world.stranger(Method::GET, &path)).await.unwrap();
    assert_eq!(stranger.status(), 401);
    let cookie = world.cookie().await;
    let foreign = world.stranger(Method::GET, &path).header("cookie", &cookie);
    let foreign = upgrade(foreign.header("origin", "http://evil.localhost")).await.unwrap();
    assert_eq!(foreign.status(), 403);
}

#[tokio::test]
async fn the_page_tells_a_stranger_nothing() {
    let world = World::start().await;
    let created = world.create().await;
    let slug = created["slug"].as_str().unwrap();
    for path in ["/", "/workspaces/x", "/openapi.json", "/docs"] {
        let answer = world.stranger(Method::GET, path).send().await.unwrap();
        let body = answer.text().await.unwrap();
        assert!(!body.contains(slug), "{path}");
    }
    // The same answer whether a workspace is there or not.
    let enter = |host: &str| world.stranger(Method::GET, &format!("/enter?host={host}&path=/")).send();
    let (there, absent) = (enter(slug).await.unwrap(), enter("quiet-fox-zzzzz").await.unwrap());
    assert_eq!(there.status(), absent.status());
    let to = |answer: &reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(to(&there).starts_with("/sign-in?next="));
    assert!(to(&absent).starts_with("/sign-in?next="));
}
