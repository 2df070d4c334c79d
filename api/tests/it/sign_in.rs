//! Links, sessions, tokens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_link_works_once() {
    let world = World::start().await;
    let link = steading_api::auth::link::mint(&world.app).await.unwrap();
    let path = &link[link.find("/sign-in").unwrap()..];
    let first = world.stranger(Method::GET, path).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["location"].to_str().unwrap()), (303, "/"));
    let cookie = first.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Domain"), "{cookie}");
    let second = world.stranger(Method::GET, path).send().await.unwrap();
    assert_eq!(second.headers()["location"], "/sign-in?spent=1");
    assert!(second.headers().get("set-cookie").is_none());
}

#[tokio::test]
async fn a_session_ends_when_it_is_closed() {
    let world = World::start().await;
    let cookie = world.cookie().await;
    let me = || world.stranger(Method::GET, "/v1/me").header("cookie", &cookie).send();
    let body: Value = me().await.unwrap().json().await.unwrap();
    assert_eq!((body["role"].as_str(), body["session"].as_bool()), (Some("admin"), Some(true)));
    let closed = world.stranger(Method::DELETE, "/session").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(closed.status(), 204);
    assert_eq!(me().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_token_is_shown_once_narrowed_by_its_scope_and_revoked_at_once() {
    let world = World::start().await;
    let body = json!({ "name": "ci", "scope": "prebuild" });
    let made = world.admin(Method::POST, "/v1/tokens").json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    let list = world.admin(Method::GET, "/v1/tokens").send().await.unwrap().text().await.unwrap();
    assert!(list.contains("\"ci\"") && !list.contains(token));

    let with = |method, path: &str| world.stranger(method, path).bearer_auth(token).send();
    assert_eq!(with(Method::GET, "/v1/prebuilds").await.unwrap().status(), 200);
    assert_eq!(with(Method::GET, "/v1/workspaces").await.unwrap().status(), 403);
    assert_eq!(with(Method::GET, "/v1/tokens").await.unwrap().status(), 403);

    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.admin(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(with(Method::GET, "/v1/prebuilds").await.unwrap().status(), 401);
    assert_eq!(world.admin(Method::DELETE, &path).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_token_signs_a_browser_in() {
    let world = World::start().await;
    let open = |token: &str| world.stranger(Method::POST, "/session").json(&json!({ "token": token })).send();
    assert_eq!(open("st_wrong").await.unwrap().status(), 401);
    let opened = open(crate::world::ADMIN_TOKEN).await.unwrap();
    assert_eq!(opened.status(), 204);
    assert!(opened.headers()["set-cookie"].to_str().unwrap().starts_with("steading_session="));
}

#[tokio::test]
async fn a_cookie_from_another_site_is_refused() {
    let world = World::start().await;
    let cookie = world.cookie().await;
    let post = |origin: &str| {
        let request = world.stranger(Method::POST, "/v1/workspaces").header("cookie", &cookie);
        request.header("origin", origin).json(&json!({ "source": "https://git.example.com/a/b" })).send()
    };
    let refused = post("http://quiet-fox-7k2p.localhost").await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "cross-site");
    assert_eq!(post(&world.address).await.unwrap().status(), 201);
}
