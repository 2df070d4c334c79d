//! What is too old goes, and nothing else.

use steading_core::WorkspaceId;
use steading_core::event::EventKind;

use crate::world::World;

on_each_database!(a_long_story_loses_its_beginning_alone);

/// So many events of each workspace are kept.
const KEPT: usize = 1000;

async fn a_long_story_loses_its_beginning_alone(world: &World) {
    let store = &world.store;
    let hook = |n: usize| EventKind::HookFinished { stage: "postCreate".to_owned(), exit: n.try_into().unwrap() };
    let story = async |id: WorkspaceId| {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |event: &steading_core::event::WorkspaceEvent| event.seq);
            let batch = store.events().since(Some(id), after, 1000).await.unwrap();
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    };
    let (long, short, full) = (world.insert().await.id, world.insert().await.id, world.insert().await.id);
    // Side by side, as they come.
    for from in (0..KEPT).step_by(100) {
        store.events().append(long, (from..from + 100).map(hook).collect()).await.unwrap();
        store.events().append(short, vec![hook(from)]).await.unwrap();
        // With its own first event this one has just as many as are kept.
        let ours = if from == 0 { 1..100 } else { from..from + 100 };
        store.events().append(full, ours.map(hook).collect()).await.unwrap();
    }
    let last = store.events().append(long, (KEPT..KEPT + 50).map(hook).collect()).await.unwrap().unwrap();
    let before = (story(long).await, story(short).await, story(full).await);
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (KEPT + 51, 11, KEPT));

    for _ in 0..2 {
        store.prune().await.unwrap();
        let now = story(long).await;
        assert_eq!(now, before.0[51..], "the newest of a long story stay, with their numbers");
        assert_eq!((now.len(), now[KEPT - 1].seq), (KEPT, last));
        assert_eq!((story(short).await, story(full).await), (before.1.clone(), before.2.clone()));
    }
    // Whoever was in the middle of it goes on there; numbers are not given again.
    let rest = store.events().since(Some(long), before.0[600].seq, 1000).await.unwrap();
    assert_eq!(rest, before.0[601..]);
    assert!(store.events().append(long, vec![hook(0)]).await.unwrap().unwrap() > last);
    assert_eq!(store.events().last_hook(long).await.unwrap().unwrap().kind, hook(0));
}
