//! Events, and who hears of them.

use std::time::Duration;

use futures::StreamExt as _;
use steading_core::event::EventKind;
use steading_core::routes::Stale;
use steading_core::{Desired, WorkspaceId};
use steading_store::{Feed, StoreError};

use crate::world::World;

on_each_database!(
    a_write_is_heard_at_once,
    a_write_is_heard_by_other_processes_once,
    a_reader_resumes_where_it_was,
    a_story_is_followed_without_gaps_or_doubles,
    notes_need_a_workspace,
    the_gateway_hears_what_is_stale,
);

fn notice(n: usize) -> EventKind {
    EventKind::Notice { code: "note".into(), message: n.to_string() }
}

async fn a_write_is_heard_at_once(world: &World) {
    let mut bell = world.store.feed().subscribe();
    let ws = world.insert().await;
    assert_eq!(bell.try_recv().unwrap(), Feed::Workspace(ws.id));
    assert!(matches!(bell.try_recv().unwrap(), Feed::Event(id, _) if id == ws.id));
    assert!(bell.try_recv().is_err());
}

async fn a_write_is_heard_by_other_processes_once(world: &World) {
    let other = world.another().await;
    let (mut here, mut there) = (world.store.feed().subscribe(), other.feed().subscribe());
    let ws = world.insert().await;
    let heard = tokio::time::timeout(Duration::from_secs(5), there.recv()).await.unwrap().unwrap();
    assert_eq!(heard, Feed::Workspace(ws.id));
    assert!(matches!(there.recv().await.unwrap(), Feed::Event(id, _) if id == ws.id));
    // Our own tailer does not ring again for what we wrote.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(there.try_recv().is_err());
    assert_eq!((here.try_recv().is_ok(), here.try_recv().is_ok(), here.try_recv().is_err()), (true, true, true));
}

async fn a_reader_resumes_where_it_was(world: &World) {
    let ws = world.insert().await;
    let other = world.insert().await;
    let events = world.store.events();
    events.append(ws.id, (0..5).map(notice).collect()).await.unwrap();
    events.append(other.id, vec![notice(9)]).await.unwrap();
    let first = events.since(Some(ws.id), 0, 3).await.unwrap();
    let rest = events.since(Some(ws.id), first.last().unwrap().seq, 100).await.unwrap();
    let kinds: Vec<_> = first.into_iter().chain(rest).map(|event| event.kind).collect();
    let expected: Vec<_> = std::iter::once(EventKind::Created).chain((0..5).map(notice)).collect();
    assert_eq!(kinds, expected);
    assert_eq!(events.since(None, 0, 100).await.unwrap().len(), 8);
}

async fn a_story_is_followed_without_gaps_or_doubles(world: &World) {
    let ws = world.insert().await;
    let other = world.another().await;
    let tail = world.store.events().tail(Some(ws.id), 0);
    let writers = [world.store.clone(), other].map(|store| {
        tokio::spawn(async move {
            for n in 0..40 {
                store.events().append(ws.id, vec![notice(n)]).await.unwrap();
            }
        })
    });
    let seen = tokio::time::timeout(Duration::from_secs(30), tail.take(81).collect::<Vec<_>>()).await.unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    let seqs: Vec<_> = seen.into_iter().map(|event| event.unwrap().seq).collect();
    let all = world.store.events().since(Some(ws.id), 0, 1000).await.unwrap();
    assert_eq!(seqs, all.into_iter().map(|event| event.seq).collect::<Vec<_>>());
}

async fn notes_need_a_workspace(world: &World) {
    let missing = world.store.events().append(WorkspaceId::new(), vec![notice(1)]).await;
    assert!(matches!(missing, Err(StoreError::NotFound)));
}

async fn the_gateway_hears_what_is_stale(world: &World) {
    let ws = world.insert().await;
    let admin = world.store.users().admin();
    let cookie = world.store.sessions().open(admin, 1).await.unwrap();
    let (session, _) = world.store.sessions().find(cookie.reveal()).await.unwrap().unwrap();
    let mut stale = world.store.routes().stale();
    world.store.workspaces().want(ws.id, Desired::Stopped).await.unwrap();
    world.store.sessions().close(session).await.unwrap();
    assert_eq!(stale.next().await, Some(Stale::Workspace(ws.id)));
    assert_eq!(stale.next().await, Some(Stale::Entries));
}
