//! Who is let in, how, and what the others see.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop where they stand")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use poem::{Route, handler};
use steading_core::UserId;
use steading_core::access::{Principal, Role, Scope};
use steading_core::routes::{Stale, Visibility};
use world::{HTML, IDE, World, json, program, text};

#[handler]
fn hello() -> &'static str {
    "hello"
}

async fn world() -> World {
    let world = World::start().await;
    let address = program(Route::new().at("/*any", poem::get(hello).post(hello))).await;
    world.open(IDE, address);
    world.open(3000, address);
    world
}

#[tokio::test]
async fn a_stranger_is_sent_to_sign_in_whether_the_workspace_exists_or_not() {
    let world = world().await;
    for label in ["fox", "hare", "no-such-thing", "3000-fox", "3000-no-such-thing"] {
        let page = world.strange(label, "/a?b=c&d").header("accept", HTML).body("").unwrap();
        let answer = world.send(page).await;
        assert_eq!(answer.status(), 303, "{label}");
        let expected = format!("http://localhost:{}/enter?host={label}&path=%2Fa%3Fb%3Dc%26d", world.address.port());
        assert_eq!(answer.headers()["location"], expected);

        let answer = world.send(world.strange(label, "/a").body("").unwrap()).await;
        assert_eq!(answer.status(), 401, "{label}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(json(answer).await["code"], "sign-in-required");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_theirs_look_the_same() {
    let world = world().await;
    for accept in [HTML, "application/json"] {
        let mut answers = Vec::new();
        for label in ["hare", "nowhere", "xn--fox", "65536-fox"] {
            let request = world.strange(label, "/").header("cookie", "steading_entry=mine").header("accept", accept);
            let answer = world.send(request.body("").unwrap()).await;
            assert_eq!(answer.status(), 404, "{label}");
            let mut headers = answer.headers().clone();
            headers.remove("date");
            answers.push((format!("{headers:?}"), text(answer).await));
        }
        assert!(answers.iter().all(|a| *a == answers[0]), "{answers:#?}");
        assert!(!answers[0].1.contains("nowhere") && !answers[0].1.contains("localhost"));
    }
}

#[tokio::test]
async fn a_ticket_opens_once_and_only_its_own_host() {
    let world = world().await;
    let put = |ticket: &str, label: &str, cookie: &str| {
        let key = (ticket.to_owned(), label.to_owned());
        world.records.tickets.lock().unwrap().insert(key, cookie.to_owned());
    };
    put("t1", "fox", "mine");
    let enter = |label: &str, query: &str| {
        let path = format!("/.steading/enter?{query}");
        world.strange(label, &path).header("accept", HTML).body("").unwrap()
    };
    assert_eq!(world.send(enter("3000-fox", "ticket=t1&path=/")).await.status(), 403);

    let answer = world.send(enter("fox", "ticket=t1&path=%2Fa%3Fb%3Dc")).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/a?b=c");
    assert_eq!(answer.headers()["set-cookie"], "steading_entry=mine; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(text(world.send(world.ours("/a?b=c").body("").unwrap()).await).await, "hello");
    assert_eq!(world.records.entered.lock().unwrap().len(), 1);

    let again = world.send(enter("fox", "ticket=t1&path=/")).await;
    assert_eq!(again.status(), 403);
    assert!(!again.headers().contains_key("set-cookie"));

    for bad in ["//evil.example", "/%5Cevil", "https://evil.example", "/%09/evil", "%5C%5Cevil"] {
        put("t2", "fox", "mine");
        let answer = world.send(enter("fox", &format!("ticket=t2&path={bad}"))).await;
        assert_eq!(answer.headers()["location"], "/", "{bad}");
    }
}

#[tokio::test]
async fn another_hosts_page_cannot_use_our_cookie() {
    let world = world().await;
    let status = async |method: &str, headers: &[(&str, &str)]| {
        let mut request = world.ours("/").method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.send(request.body("").unwrap()).await.status().as_u16()
    };
    let own = format!("http://{}", world.host("fox"));
    let sibling = format!("http://{}", world.host("hare"));
    assert_eq!(status("POST", &[("origin", &own), ("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(status("POST", &[("origin", &sibling)]).await, 403);
    assert_eq!(status("GET", &[("origin", "null")]).await, 403);
    assert_eq!(status("GET", &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")]).await, 403);
    assert_eq!(status("GET", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]).await, 200);
    assert_eq!(status("POST", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]).await, 403);
}

#[tokio::test]
async fn a_cookie_that_another_host_planted_does_not_lock_anybody_out() {
    let world = world().await;
    let request = world.strange("fox", "/").header("cookie", "steading_entry=planted; a=1; steading_entry=mine");
    assert_eq!(world.send(request.body("").unwrap()).await.status(), 200);
}

#[tokio::test]
async fn a_port_is_as_public_as_its_owner_says() {
    let world = world().await;
    let other = Principal { user: UserId::new(), role: Role::Member, scope: Scope::All };
    world.let_in("theirs", "3000-fox", other);
    let status = async |cookie: &str| {
        let request = world.strange("3000-fox", "/").header("cookie", cookie).body("").unwrap();
        world.send(request).await.status().as_u16()
    };
    let all =
        async || [status("a=1").await, status("steading_entry=theirs").await, status("steading_entry=mine").await];
    assert_eq!(all().await, [401, 404, 200]);
    world
        .change(|fox| {
            fox.visibility.insert(3000, Visibility::SignedIn);
        })
        .await;
    assert_eq!(all().await, [401, 200, 200]);
    world
        .change(|fox| {
            fox.visibility.insert(3000, Visibility::Public);
        })
        .await;
    assert_eq!(all().await, [200, 200, 200]);
    world.change(|fox| fox.visibility.clear()).await;
    assert_eq!(all().await, [401, 404, 200]);
}

#[tokio::test]
async fn signing_out_ends_it_at_once() {
    let world = world().await;
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 200);
    world.records.entries.lock().unwrap().clear();
    world.tell(Stale::Entries).await;
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 401);
}

#[tokio::test]
async fn who_is_in_stays_in_while_the_database_is_silent() {
    let world = world().await;
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 200);
    let asked = world.records.asked.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(asked, 2, "one question for the cookie, one for the route");
    world.records.silent.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 200);
    world.tell(Stale::Everything).await;
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 200);

    let request = world.strange("fox", "/").header("cookie", "steading_entry=new").body("").unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(6), world.send(request)).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "2");
    assert_eq!(json(answer).await["code"], "database-unavailable");
}
