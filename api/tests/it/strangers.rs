//! Private by default: whatever is mounted refuses a stranger, unless it stands on a short public list.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;
use steading_api::mounts::{self, Audience};

use crate::world::World;

/// What anybody may ask for. Whoever makes this list longer has a reason, and it stands in the table.
const PUBLIC: [&str; 10] = [
    "GET /v1/health/live",
    "GET /v1/health/ready",
    "GET /v1/version",
    "GET /openapi.json",
    "* /docs",
    "GET /sign-in",
    "HEAD /sign-in",
    "POST /session",
    "GET /enter",
    "* /",
];

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

/// Every path that is mounted or documented, and which of its methods are public.
fn paths() -> BTreeMap<String, Vec<String>> {
    let mut public = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    for mount in mounts::all() {
        let method = mount.method.as_ref().map_or("*", Method::as_str);
        paths.push(mount.path.to_owned());
        match mount.audience {
            Audience::Public(reason) => public.push((format!("{method} {}", mount.path), reason)),
            Audience::SignedIn => {}
            Audience::SignedInBut(some) => {
                public.extend(some.iter().map(|e| (format!("GET {}{}", mount.path, e.path), e.reason)));
                paths.push(format!("{}/no-such-thing", mount.path));
            }
        }
    }
    assert!(public.iter().all(|(_, reason)| !reason.is_empty()), "{public:?}");
    let public: BTreeSet<&str> = public.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(public, PUBLIC.into_iter().collect());

    let document: Value = serde_json::from_str(&steading_api::spec::document()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{name}", "quiet-fox-7k2p").replace("{port}", "3000").replace("{id}", "tok_x");
        assert!(!path.contains('{'), "{path} has a parameter that this test does not know");
        paths.push(format!("/v1{path}"));
    }
    let methods = |path: &str| {
        let of = |what: &&str| what.split_once(' ').filter(|(_, p)| *p == path).map(|(method, _)| method.to_owned());
        public.iter().filter_map(of).collect()
    };
    paths.into_iter().map(|path| (path.clone(), methods(&path))).collect()
}

/// The other methods of a path that some method of is public: not served, and nothing said about it.
fn is_refusal(status: u16, path_is_public: bool) -> bool {
    status == 401 || (path_is_public && status == 405)
}

#[tokio::test]
async fn whatever_is_mounted_refuses_strangers() {
    let world = World::start().await;
    world.create().await;
    for (path, public) in paths() {
        if public.iter().any(|method| method == "*") {
            continue;
        }
        for name in METHODS.into_iter().filter(|name| !public.iter().any(|p| p == name)) {
            // Asking what a GET would say is a GET.
            if name == "HEAD" && public.iter().any(|p| p == "GET") {
                continue;
            }
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            let refused = async |request: reqwest::RequestBuilder, how: &str| {
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                // `/session` is served for strangers by one method and for the signed-in by another.
                assert!(is_refusal(status, !path.starts_with("/v1")), "{name} {path} answers {how}: {status}");
                assert_eq!(answer.headers()["content-type"], "application/problem+json", "{name} {path}");
                if name != "HEAD" {
                    let problem: Value = answer.json().await.unwrap();
                    assert!(status != 401 || problem["code"] == "not-signed-in", "{name} {path}: {problem}");
                    assert!(problem["hint"].is_string() && problem["request_id"] != "", "{name} {path}: {problem}");
                }
            };
            // A body that would be right somewhere must not decide before the credential does.
            for body in [None, Some("{}"), Some("{\"source\":\"https://git.example.com/a/b\"}"), Some("nonsense")] {
                let mut request = world.stranger(method.clone(), &path);
                if let Some(body) = body {
                    request = request.header("content-type", "application/json").body(body);
                }
                refused(request, "a stranger").await;
            }
            refused(upgrade(world.stranger(method.clone(), &path)), "a stranger's socket").await;
            refused(world.stranger(method.clone(), &path).bearer_auth("st_wrong"), "a wrong token").await;
            let cookie = format!("steading_session_{}=made-up", world.app.store.installation());
            refused(world.stranger(method, &path).header("cookie", cookie), "a made-up session").await;
        }
    }
}

fn upgrade(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test]
async fn a_websocket_refuses_strangers_and_other_origins() {
    let world = World::start().await;
    let created = world.create().await;
    let path = format!("/v1/workspaces/{}/terminal", created["slug"].as_str().unwrap());
    let stranger = upgrade(world.stranger(Method::GET, &path)).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let cookie = world.cookie().await;
    let foreign = world.stranger(Method::GET, &path).header("cookie", &cookie);
    let foreign = upgrade(foreign.header("origin", "http://evil.localhost")).send().await.unwrap();
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
    // What is not there is not told apart from what is somebody else's, not even by who is signed in.
    for host in ["quiet-fox-zzzzz", "3000", ""] {
        let answer = world.admin(Method::GET, &format!("/enter?host={host}&path=/")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{host:?}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "not-found");
    }
    // The same answer whether a workspace is there or not.
    let enter = |host: &str| world.stranger(Method::GET, &format!("/enter?host={host}&path=/")).send();
    let (there, absent) = (enter(slug).await.unwrap(), enter("quiet-fox-zzzzz").await.unwrap());
    assert_eq!(there.status(), absent.status());
    let to = |answer: &reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(to(&there).starts_with("/sign-in?next="));
    assert!(to(&absent).starts_with("/sign-in?next="));
}
