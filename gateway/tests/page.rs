//! What is seen when there is no answer to pass on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop where they stand")]

#[path = "support/world.rs"]
mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use poem::{Route, handler};
use steading_core::{Desired, Failure, Phase};
use world::{HTML, IDE, World, json, program, raw_program, text};

#[handler]
fn hello() -> &'static str {
    "hello"
}

async fn both(world: &World) -> (http::HeaderMap, String, serde_json::Value) {
    let page = world.send(world.ours("/").header("accept", HTML).body("").unwrap()).await;
    let problem = world.send(world.ours("/").body("").unwrap()).await;
    assert_eq!(page.status(), problem.status());
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let headers = page.headers().clone();
    (headers, text(page).await, json(problem).await)
}

#[tokio::test]
async fn a_workspace_that_starts_says_how_far_it_is() {
    let world = World::start().await;
    world.change(|fox| (fox.phase, fox.ide_port) = (Phase::Building, None)).await;
    let (headers, page, problem) = both(&world).await;
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(
        (&problem["status"], &problem["code"], &problem["phase"]),
        (&503.into(), &"workspace-starting".into(), &"building".into())
    );
    assert!(page.contains("fox is waking up") && page.contains("Building or fetching its image"), "{page}");
    assert!(page.contains("role=\"status\"") && page.contains("http-equiv=\"refresh\""));
    let state = json(world.send(world.ours("/.steading/state").body("").unwrap()).await).await;
    assert_eq!((&state["state"], &state["phase"]), (&"starting".into(), &"building".into()));
    let stranger = world.strange("fox", "/.steading/state").body("").unwrap();
    assert_eq!(world.send(stranger).await.status(), 401);
}

#[tokio::test]
async fn a_stopped_workspace_offers_to_be_started() {
    let world = World::start().await;
    world.change(|fox| (fox.phase, fox.desired) = (Phase::Stopped, Desired::Stopped)).await;
    let (_, page, problem) = both(&world).await;
    assert_eq!(problem["code"], "workspace-stopped");
    let control = format!("href=\"http://localhost:{}/workspaces/fox?start=1&amp;", world.address.port());
    assert!(page.contains(&format!("{control}host=fox&amp;path=%2F\"")), "{page}");
    assert!(page.contains("data-state=\"stopped\"") && page.contains("<script>"), "it sees that it was started");
    // Whoever wanted something finds the way back to it, and to nowhere else.
    for (path, kept) in [("/a/b?c=d&e", "%2Fa%2Fb%3Fc%3Dd%26e"), ("//evil.example/", "%2F")] {
        let request = world.strange("3000-fox", path).header("cookie", "steading_entry=mine").header("accept", HTML);
        let page = text(world.send(request.body("").unwrap()).await).await;
        assert!(page.contains(&format!("{control}host=3000-fox&amp;path={kept}\"")), "{page}");
    }
}

#[tokio::test]
async fn a_failed_workspace_says_why_and_what_to_do() {
    let world = World::start().await;
    let failure = Failure {
        step: "build".to_owned(),
        code: "build-failed".to_owned(),
        message: "The build failed at step <7>.".to_owned(),
        hint: Some("Mend the Dockerfile.".to_owned()),
        retryable: false,
        output: Some("make: *** [all] Error 2".to_owned()),
    };
    world.change(|fox| (fox.phase, fox.failure) = (Phase::Failed, Some(failure))).await;
    let (_, page, problem) = both(&world).await;
    assert_eq!((&problem["code"], &problem["hint"]), (&"workspace-failed".into(), &"Mend the Dockerfile.".into()));
    assert!(page.contains("step &lt;7&gt;") && page.contains("Error 2") && page.contains("/workspaces/fox\""));
}

#[tokio::test]
async fn a_guest_at_a_shared_port_is_not_told_why() {
    let world = World::start().await;
    let failure = Failure {
        step: "build".to_owned(),
        code: "build-failed".to_owned(),
        message: "The secret build failed.".to_owned(),
        hint: None,
        retryable: false,
        output: None,
    };
    world
        .change(|fox| {
            fox.visibility.insert(3000, steading_core::routes::Visibility::Public);
            (fox.phase, fox.failure) = (Phase::Failed, Some(failure));
        })
        .await;
    let answer = world.send(world.strange("3000-fox", "/").body("").unwrap()).await;
    assert_eq!(answer.status(), 503);
    let told = text(answer).await;
    assert!(told.contains("workspace-unavailable") && !told.contains("secret"), "{told}");
    let state = world.send(world.strange("3000-fox", "/.steading/state").body("").unwrap()).await;
    assert_eq!(state.status(), 404);
}

#[tokio::test]
async fn a_port_without_a_program_says_so() {
    let world = World::start().await;
    let request = world.strange("3000-fox", "/").header("cookie", "steading_entry=mine").body("").unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status(), 502);
    let problem = json(answer).await;
    assert_eq!(problem["code"], "no-listener");
    assert!(problem["message"].as_str().unwrap().contains("3000"));

    world.open(
        3000,
        raw_program(|_, mut stream| async move {
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 not http\r\n").await.unwrap();
        })
        .await,
    );
    let request = world.strange("3000-fox", "/").header("cookie", "steading_entry=mine").body("").unwrap();
    assert_eq!(json(world.send(request).await).await["code"], "bad-answer");
}

#[tokio::test]
async fn a_container_that_is_gone_is_reported_and_awaited() {
    let world = World::start().await;
    world.doors.gone.store(true, Ordering::Relaxed);
    let (_, page, problem) = both(&world).await;
    assert_eq!(problem["code"], "workspace-starting");
    assert!(page.contains("container is not there"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.records.doubted.lock().unwrap().len(), 1, "one look is enough for both");
}

#[tokio::test]
async fn an_editor_that_does_not_answer_is_reported_and_other_ports_are_not() {
    let world = World::start().await;
    let request = world.strange("3000-fox", "/").header("cookie", "steading_entry=mine").body("").unwrap();
    assert_eq!(json(world.send(request).await).await["code"], "no-listener");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(world.records.doubted.lock().unwrap().is_empty());

    let problem = json(world.send(world.ours("/").body("").unwrap()).await).await;
    assert_eq!(problem["code"], "workspace-starting");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.records.doubted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn while_a_rebuild_is_on_its_way_the_container_before_it_answers() {
    let world = World::start().await;
    world.open(IDE, program(Route::new().at("/", poem::get(hello))).await);
    for phase in [Phase::Pending, Phase::Resolving, Phase::Building] {
        world.change(|fox| fox.phase = phase).await;
        let answer = world.send(world.ours("/").body("").unwrap()).await;
        assert_eq!((answer.status().as_u16(), text(answer).await.as_str()), (200, "hello"), "{phase}");
    }
    // From here on the old container is on its way out.
    world.change(|fox| fox.phase = Phase::Starting).await;
    assert_eq!(world.send(world.ours("/").body("").unwrap()).await.status(), 503);
}

#[tokio::test]
async fn an_editor_that_listens_in_a_moment_is_waited_for() {
    let world = World::start().await;
    let address = program(Route::new().at("/", poem::get(hello))).await;
    let doors = world.doors.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        doors.open.lock().unwrap().insert(IDE, address);
    });
    let answer = world.send(world.ours("/").body("").unwrap()).await;
    assert_eq!((answer.status().as_u16(), text(answer).await.as_str()), (200, "hello"));
}
