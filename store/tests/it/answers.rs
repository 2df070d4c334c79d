//! Answers that are given again, questions between processes, prebuilds.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use steading_core::prebuild::Prebuild;
use steading_core::source::Commit;
use steading_core::{ImageRef, InquiryId, PrebuildId};
use steading_store::{Begun, Claim, Store, StoreError, Waited};

use crate::world::World;

on_each_database!(
    the_first_answer_is_given_again,
    of_many_equal_requests_one_is_done,
    a_request_that_died_can_be_repeated,
    an_answer_is_waited_for_across_processes,
    an_inquiry_is_answered_across_processes,
    an_inquiry_without_an_answer_ends,
    a_prebuild_is_found_by_commit_first,
);

async fn claim(store: &Store, key: &str) -> Claim {
    match store.idempotency().begin(store.users().admin(), key, "h").await.unwrap() {
        Begun::Fresh(claim) => claim,
        other => panic!("{key}: {other:?}"),
    }
}

async fn the_first_answer_is_given_again(world: &World) {
    let answers = world.store.idempotency();
    let me = world.store.users().admin();
    let first = claim(&world.store, "k").await;
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), Begun::Busy);
    assert_eq!(answers.begin(me, "k", "other").await.unwrap(), Begun::Mismatch);
    answers.finish(&first, 201, "{\"id\":1}").await.unwrap();
    let replay = Begun::Replay { status: 201, body: "{\"id\":1}".into() };
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), replay);
    answers.abandon(&first).await.unwrap();
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), replay, "what was answered stays answered");
    let another = claim(&world.store, "another").await;
    answers.abandon(&another).await.unwrap();
    claim(&world.store, "another").await;
    world.execute("UPDATE idempotency SET created_at = created_at - 86401000000").await;
    assert!(matches!(answers.begin(me, "k", "other").await.unwrap(), Begun::Fresh(_)), "a day has passed");
}

async fn of_many_equal_requests_one_is_done(world: &World) {
    let other = world.another().await;
    let me = world.store.users().admin();
    let begin = |n: usize| {
        let store = if n.is_multiple_of(2) { world.store.clone() } else { other.clone() };
        async move { store.idempotency().begin(me, "k", "h").await.unwrap() }
    };
    let begun = futures::future::join_all((0..12).map(begin)).await;
    assert_eq!(begun.iter().filter(|b| matches!(b, Begun::Fresh(_))).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|b| **b == Begun::Busy).count(), 11, "{begun:?}");
}

async fn a_request_that_died_can_be_repeated(world: &World) {
    let answers = world.store.idempotency();
    let me = world.store.users().admin();
    let age = "UPDATE idempotency SET claimed_until = claimed_until - 24000000";
    let first = claim(&world.store, "k").await;
    world.execute(age).await;
    let held = tokio::time::timeout(Duration::from_secs(7), answers.hold(&first)).await;
    assert!(held.is_err(), "it is held for ever");
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), Begun::Busy, "who works on it says so");
    world.execute(&age.replace("24", "31")).await;
    let second = claim(&world.store, "k").await;
    // The first one was only thought dead: what it says does not count any more.
    answers.finish(&first, 200, "late").await.unwrap();
    answers.abandon(&first).await.unwrap();
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), Begun::Busy);
    answers.finish(&second, 200, "second").await.unwrap();
    assert_eq!(answers.begin(me, "k", "h").await.unwrap(), Begun::Replay { status: 200, body: "second".into() });
}

async fn an_answer_is_waited_for_across_processes(world: &World) {
    let other = world.another().await;
    let me = world.store.users().admin();
    for finishes in [true, false] {
        let first = claim(&world.store, "k").await;
        let store = world.store.clone();
        let work = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let answers = store.idempotency();
            if finishes { answers.finish(&first, 200, "x").await } else { answers.abandon(&first).await }.unwrap();
        });
        other.idempotency().wait(me, "k").await.unwrap();
        assert_eq!(matches!(other.idempotency().begin(me, "k", "h").await.unwrap(), Begun::Replay { .. }), finishes);
        work.await.unwrap();
        world.execute("DELETE FROM idempotency").await;
    }
}

async fn an_inquiry_is_answered_across_processes(world: &World) {
    let worker = world.another().await;
    let id = world.store.inquiries().ask(&json!({"source": "x"})).await.unwrap();
    let answer = tokio::spawn(async move {
        let question = worker.inquiries().load(id).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        worker.inquiries().answer(id, &json!({"you asked": question})).await.unwrap();
        worker.inquiries().answer(id, &json!("too late")).await.unwrap();
    });
    let long = Duration::from_secs(10);
    let answered = world.store.inquiries().wait(id, long, long).await.unwrap();
    assert_eq!(answered, Waited::Answered(json!({"you asked": {"source": "x"}})));
    answer.await.unwrap();
}

async fn an_inquiry_without_an_answer_ends(world: &World) {
    let inquiries = world.store.inquiries();
    let id = inquiries.ask(&json!(1)).await.unwrap();
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
    assert_eq!(inquiries.wait(id, short, long).await.unwrap(), Waited::Untouched);
    assert!(inquiries.note(id, "Fetching x").await.unwrap());
    assert_eq!(inquiries.wait(id, short, short * 2).await.unwrap(), Waited::Working("Fetching x".to_owned()));
    world.execute("UPDATE inquiry SET created_at = created_at - 601000000").await;
    assert!(matches!(inquiries.load(id).await, Err(StoreError::NotFound)));
    assert!(!inquiries.note(id, "Fetching x").await.unwrap(), "nobody waits that long");
    let taken_back = inquiries.ask(&json!(2)).await.unwrap();
    inquiries.forget(taken_back).await.unwrap();
    assert!(!inquiries.note(taken_back, "Fetching x").await.unwrap());
    assert!(matches!(inquiries.load(InquiryId::new()).await, Err(StoreError::NotFound)));
}

async fn a_prebuild_is_found_by_commit_first(world: &World) {
    let prebuilds = world.store.prebuilds();
    let commit: Commit = "a".repeat(40).parse().unwrap();
    let register = async |commit: Option<Commit>, hash: Option<&str>, image: &str| {
        let prebuild = Prebuild {
            id: PrebuildId::new(),
            repository: "git.example.com/team/project".into(),
            commit,
            config_hash: hash.map(Into::into),
            image: ImageRef::new(image),
            created_at: Utc::now(),
        };
        prebuilds.register(&prebuild).await.unwrap();
        prebuild
    };
    register(None, Some("h"), "by-config:1").await;
    register(None, Some("h"), "by-config:2").await;
    register(Some(commit.clone()), None, "by-commit").await;
    let find = async |commit: Option<&Commit>, hash: Option<&str>| {
        let found = prebuilds.find("git.example.com/team/project", commit, hash).await.unwrap();
        found.map(|prebuild| prebuild.image.as_str().to_owned())
    };
    assert_eq!(find(Some(&commit), Some("h")).await.as_deref(), Some("by-commit"));
    assert_eq!(find(None, Some("h")).await.as_deref(), Some("by-config:2"));
    let other: Commit = "b".repeat(40).parse().unwrap();
    assert_eq!(find(Some(&other), Some("other")).await, None);
    assert!(prebuilds.find("git.example.com/else", Some(&commit), Some("h")).await.unwrap().is_none());
    let list = prebuilds.list().await.unwrap();
    assert_eq!(list.len(), 2, "the same key is registered once");
    prebuilds.remove(list[0].id).await.unwrap();
    assert!(matches!(prebuilds.remove(list[0].id).await, Err(StoreError::NotFound)));
}
