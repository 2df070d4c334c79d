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
async fn whoever_was_sent_to_sign_in_returns_to_where_they_wanted() {
    let world = World::start().await;
    let slug = world.create().await["slug"].as_str().unwrap().to_owned();
    let wanted = format!("/enter?host=3000-{slug}&path=%2Fa%3Fb%3Dc");
    let location = |answer: &reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    let cookie_of = |answer: &reqwest::Response| {
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let sent = world.stranger(Method::GET, &wanted).send().await.unwrap();
    let page = world.stranger(Method::GET, &location(&sent)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let way = cookie_of(&page);
    let link = async || {
        let link = steading_api::auth::link::mint(&world.app).await.unwrap();
        link[link.find("/sign-in").unwrap()..].to_owned()
    };
    let back = world.stranger(Method::GET, &link().await).header("cookie", &way).send().await.unwrap();
    assert_eq!(location(&back), wanted);
    let set: Vec<_> = back.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert!(set.len() == 2 && set[0].contains("steading_next_") && set[0].contains("Max-Age=0"), "{set:?}");
    let session = set[1].split(';').next().unwrap();
    let inside = world.stranger(Method::GET, &location(&back)).header("cookie", session).send().await.unwrap();
    assert!(location(&inside).starts_with(&format!("http://3000-{slug}.localhost")), "{}", location(&inside));

    // Never to another site, whoever planted the cookie.
    let name = way.split('=').next().unwrap();
    for evil in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%0A", "%FF"] {
        let planted = format!("{name}={evil}");
        let back = world.stranger(Method::GET, &link().await).header("cookie", planted).send().await.unwrap();
        assert_eq!(location(&back), "/", "{evil}");
        let page = world.stranger(Method::GET, &format!("/sign-in?next={evil}")).send().await.unwrap();
        assert!(page.headers().get("set-cookie").is_none(), "{evil}");
    }
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
    let name = format!("steading_session_{}=", world.app.store.installation());
    assert!(opened.headers()["set-cookie"].to_str().unwrap().starts_with(&name));
}

#[tokio::test]
async fn what_a_token_opened_ends_with_it() {
    let world = World::start().await;
    let body = json!({ "name": "laptop" });
    let made = world.admin(Method::POST, "/v1/tokens").json(&body).send().await.unwrap().json::<Value>().await.unwrap();
    let opened =
        world.stranger(Method::POST, "/session").json(&json!({ "token": made["token"] })).send().await.unwrap();
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let me = || world.stranger(Method::GET, "/v1/me").header("cookie", &cookie).send();
    assert_eq!(me().await.unwrap().status(), 200);
    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.admin(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(me().await.unwrap().status(), 401);
}

#[tokio::test]
async fn somebody_can_sign_out_everywhere() {
    let world = World::start().await;
    let (here, elsewhere) = (world.cookie().await, world.cookie().await);
    let send = |method, path: &str, cookie: &str| world.stranger(method, path).header("cookie", cookie).send();
    assert_eq!(send(Method::DELETE, "/v1/sessions", &here).await.unwrap().status(), 204);
    for cookie in [&here, &elsewhere] {
        assert_eq!(send(Method::GET, "/v1/me", cookie).await.unwrap().status(), 401);
    }
    assert_eq!(world.admin(Method::GET, "/v1/me").send().await.unwrap().status(), 200, "tokens go on");
}

#[tokio::test]
async fn a_narrow_token_does_not_become_an_entry() {
    let world = World::start().await;
    let slug = world.create().await["slug"].as_str().unwrap().to_owned();
    let body = json!({ "name": "viewer", "scope": "read" });
    let made = world.admin(Method::POST, "/v1/tokens").json(&body).send().await.unwrap().json::<Value>().await.unwrap();
    for host in [slug.clone(), format!("3000-{slug}")] {
        let path = format!("/enter?host={host}&path=/");
        let with = |token: &str| world.stranger(Method::GET, &path).bearer_auth(token).send();
        assert_eq!(with(made["token"].as_str().unwrap()).await.unwrap().status(), 403, "{host}");
        assert_eq!(with(crate::world::ADMIN_TOKEN).await.unwrap().status(), 303, "{host}");
    }
}

#[tokio::test]
async fn two_installations_on_one_host_share_a_cookie_jar() {
    let (one, two) = (World::start().await, World::start().await);
    let (mine, theirs) = (one.cookie().await, two.cookie().await);
    assert_ne!(mine.split('=').next(), theirs.split('=').next(), "the later one would take the place of the other");
    let jar = format!("{mine}; {theirs}");
    for world in [&one, &two] {
        let me = world.stranger(Method::GET, "/v1/me").header("cookie", &jar).send().await.unwrap();
        assert_eq!(me.status(), 200);
    }
}

#[tokio::test]
async fn a_planted_cookie_locks_nobody_out() {
    let world = World::start().await;
    let mine = world.cookie().await;
    let name = mine.split('=').next().unwrap();
    let me = |jar: String| world.stranger(Method::GET, "/v1/me").header("cookie", jar).send();
    // The longer path sorts first, wherever it comes from.
    assert_eq!(me(format!("{name}=planted; {name}=; {name}=again; {mine}")).await.unwrap().status(), 200);
    assert_eq!(me(format!("{name}=planted")).await.unwrap().status(), 401);
}

#[tokio::test]
async fn what_a_proxy_in_front_is_shown_locks_nobody_out() {
    let world = World::start().await;
    let cookie = world.cookie().await;
    let me = |first: &str| world.stranger(Method::GET, "/v1/me").header("authorization", first);
    for other in ["Basic bWU6c2VjcmV0", "Negotiate YII=", "odd"] {
        assert_eq!(me(other).header("cookie", &cookie).send().await.unwrap().status(), 200, "{other}");
        assert_eq!(me(other).bearer_auth(crate::world::ADMIN_TOKEN).send().await.unwrap().status(), 200, "{other}");
        let refused = me(other).send().await.unwrap();
        assert_eq!(refused.status(), 401, "{other}");
        assert!(refused.text().await.unwrap().contains("is not a bearer token"), "{other}");
    }
    // A token that does not hold decides, whatever else is shown.
    assert_eq!(me("Bearer st_wrong").header("cookie", &cookie).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn over_https_no_other_host_can_plant_the_cookie() {
    let world = World::with(|config| config.server.scheme = "https".to_owned()).await;
    let cookie = world.set_cookie().await;
    let name = format!("__Host-steading_session_{}=", world.app.store.installation());
    assert!(cookie.starts_with(&name) && cookie.contains("; Path=/;") && cookie.ends_with("; Secure"), "{cookie}");
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
