//! One driver per workspace.

use std::time::Duration;

use steading_core::workspace::Change;
use steading_core::{Phase, WorkspaceId};
use steading_store::StoreError;

use crate::world::World;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

on_each_database!(
    of_many_who_ask_one_gets_it,
    a_write_with_an_old_lease_changes_nothing,
    a_lease_ends_by_the_clock_of_the_database,
    renewal_keeps_it,
    a_released_lease_writes_no_more,
    whoever_rings_meanwhile_is_not_forgotten,
    a_workspace_that_is_not_there_has_no_lease,
);

async fn of_many_who_ask_one_gets_it(world: &World) {
    let id = world.insert().await.id;
    let other = world.another().await;
    let ask = |n: usize| {
        let store = if n.is_multiple_of(2) { world.store.clone() } else { other.clone() };
        async move { store.leases().acquire(id, &format!("worker {n}"), LONG).await.unwrap() }
    };
    let leases = futures::future::join_all((0..16).map(ask)).await;
    assert_eq!(leases.into_iter().flatten().count(), 1);
}

async fn a_write_with_an_old_lease_changes_nothing(world: &World) {
    let ws = world.insert().await;
    let (leases, workspaces) = (world.store.leases(), world.store.workspaces());
    let old = leases.acquire(ws.id, "one", SHORT).await.unwrap().unwrap();
    tokio::time::sleep(SHORT * 2).await;
    let new = leases.acquire(ws.id, "two", LONG).await.unwrap().unwrap();
    assert!(new.epoch() > old.epoch());
    let phase = |phase| vec![Change::Phase(phase)];
    let late = workspaces.record(&old, &ws, phase(Phase::Failed), vec![]).await;
    assert!(matches!(late, Err(StoreError::LostLease)), "{late:?}");
    assert_eq!(workspaces.load(ws.id).await.unwrap().phase, Phase::Pending);
    assert!(!leases.renew(&old).await.unwrap());
    assert!(!leases.release(old).await.unwrap());
    // Releasing the old one has not touched the new one.
    let ws = workspaces.record(&new, &ws, phase(Phase::Resolving), vec![]).await.unwrap();
    assert_eq!(ws.phase, Phase::Resolving);
}

async fn a_lease_ends_by_the_clock_of_the_database(world: &World) {
    let id = world.insert().await.id;
    let leases = world.store.leases();
    let first = leases.acquire(id, "one", SHORT).await.unwrap().unwrap();
    assert!(leases.acquire(id, "two", LONG).await.unwrap().is_none());
    tokio::time::sleep(SHORT * 2).await;
    let second = leases.acquire(id, "two", LONG).await.unwrap().unwrap();
    assert_eq!(second.epoch(), first.epoch() + 1);
}

async fn renewal_keeps_it(world: &World) {
    let id = world.insert().await.id;
    let leases = world.store.leases();
    let lease = leases.acquire(id, "one", SHORT).await.unwrap().unwrap();
    for _ in 0..6 {
        tokio::time::sleep(SHORT / 3).await;
        assert!(leases.renew(&lease).await.unwrap());
    }
    assert!(leases.acquire(id, "two", LONG).await.unwrap().is_none());
    leases.release(lease).await.unwrap();
    assert!(leases.acquire(id, "two", LONG).await.unwrap().is_some());
}

async fn a_released_lease_writes_no_more(world: &World) {
    let ws = world.insert().await;
    let lease = world.store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    world.store.leases().release(lease.clone()).await.unwrap();
    let late = world.store.workspaces().record(&lease, &ws, vec![Change::Phase(Phase::Failed)], vec![]).await;
    assert!(matches!(late, Err(StoreError::LostLease)), "{late:?}");
    assert!(!world.store.leases().renew(&lease).await.unwrap());
}

async fn whoever_rings_meanwhile_is_not_forgotten(world: &World) {
    let id = world.insert().await.id;
    let leases = world.store.leases();
    let lease = leases.acquire(id, "one", LONG).await.unwrap().unwrap();
    assert!(leases.acquire(id, "two", LONG).await.unwrap().is_none());
    assert!(leases.release(lease).await.unwrap(), "somebody rang");
    let lease = leases.acquire(id, "one", LONG).await.unwrap().unwrap();
    assert!(!leases.release(lease).await.unwrap(), "nobody rang since");
}

async fn a_workspace_that_is_not_there_has_no_lease(world: &World) {
    assert!(world.store.leases().acquire(WorkspaceId::new(), "one", LONG).await.unwrap().is_none());
}
