//! The records of workspaces.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use steading_core::access::Credential;
use steading_core::event::EventKind;
use steading_core::routes::Visibility;
use steading_core::runtime::{InstanceId, VolumeId};
use steading_core::workspace::{Change, HookFact, Populated, Retry};
use steading_core::{Desired, Failure, Fault as _, Owner, Phase, Stage, UserId, Workspace, WorkspaceId};
use steading_store::{ListQuery, Store, StoreError};

use crate::world::{World, workspace};

const LONG: Duration = Duration::from_secs(60);

on_each_database!(
    what_is_inserted_is_loaded,
    a_name_is_given_once,
    the_list_is_paged_newest_first,
    the_list_can_be_narrowed,
    a_change_of_mind_forgets_what_failed,
    a_deleted_workspace_stays_deleted,
    facts_of_an_old_rebuild_or_generation_are_refused,
    phases_and_failures_tell_their_story,
    the_sweeper_sees_what_is_left_to_do,
    the_sweeper_sees_whom_somebody_rang_for,
    entering_asks_for_another_look,
    purging_leaves_nothing,
    the_gateway_finds_a_workspace,
);

fn failure(code: &str) -> Failure {
    Failure {
        step: "build".into(),
        code: code.into(),
        message: "It broke.".into(),
        hint: None,
        retryable: false,
        output: None,
    }
}

async fn story(store: &Store, id: WorkspaceId) -> Vec<EventKind> {
    store.events().since(Some(id), 0, 100).await.unwrap().into_iter().map(|event| event.kind).collect()
}

/// Everything that the record of a running workspace has.
fn done() -> Vec<Change> {
    let resolution = json!({
        "commit": null, "branch": null, "path": null, "kind": {"kind": "template", "template": "universal"},
        "image": {"kind": "pull", "image": "debian"}, "config": {"file": "", "properties": {}}, "because": "Nothing else was there.",
        "choices": [], "diagnostics": [],
    });
    let image = json!({"image": "debian", "config": {}});
    vec![
        Change::Resolved(serde_json::from_value(resolution).unwrap()),
        Change::Image(serde_json::from_value(image).unwrap()),
        Change::Populated(Populated {
            volume: VolumeId("v".into()),
            commit: None,
            branch: None,
            path: None,
            submodules: Vec::new(),
        }),
        Change::Hooks(HookFact { instance: InstanceId("i".into()), stage: Stage::PostCreate, failed: None }),
        Change::PostStart(InstanceId("i".into()), Utc::now()),
        Change::Extensions(VolumeId("s".into())),
    ]
}

fn spec(ws: &Workspace) -> Change {
    let service = json!({
        "name": "ide", "port": 39378, "ready_path": "/", "user": "dev", "command": [], "env": {}, "folder": "/",
    });
    let main = json!({
        "name": "main", "image": "debian", "user": "0", "entrypoint": [], "command": [], "folder": null, "env": {},
        "mounts": [], "init": true, "privileged": false, "cap_add": [], "security_opt": [], "hostname": "h",
        "extra_hosts": [], "shm_size": null, "group_add": [], "ulimits": {}, "sysctls": {}, "labels": {},
    });
    let mut spec = json!({
        "workspace": ws.id, "slug": ws.slug, "main": main, "sidecars": [], "volumes": ["workspace", "state"],
        "services": [service], "limits": ws.limits, "remote_user": "dev", "workspace_folder": "/workspaces/project",
        "workspace_root": "/workspaces/project", "remote_env": {}, "env_probe": "none", "hash": "0a",
    });
    for key in ["devices", "tools"] {
        spec["main"][key] = json!([]);
    }
    Change::Spec(Box::new(serde_json::from_value(spec).unwrap()))
}

async fn what_is_inserted_is_loaded(world: &World) {
    let ws = world.insert().await;
    let workspaces = world.store.workspaces();
    assert_eq!(workspaces.load(ws.id).await.unwrap(), ws);
    assert_eq!(workspaces.by_slug(&ws.slug).await.unwrap().unwrap(), ws);
    assert_eq!(story(&world.store, ws.id).await, [EventKind::Created]);
    assert!(matches!(workspaces.load(WorkspaceId::new()).await, Err(StoreError::NotFound)));
    assert!(workspaces.by_slug(&"nobody".parse().unwrap()).await.unwrap().is_none());
}

async fn a_name_is_given_once(world: &World) {
    let ws = world.insert().await;
    let mut twin = workspace(world.store.users().admin());
    twin.slug = ws.slug.clone();
    let error = world.store.workspaces().insert(&twin).await.unwrap_err();
    assert_eq!(error.code(), "slug-taken");
    assert!(story(&world.store, twin.id).await.is_empty());

    // The same workspace again is told apart: its request was answered before.
    twin.id = ws.id;
    twin.slug = steading_core::Slug::random();
    assert_eq!(world.store.workspaces().insert(&twin).await.unwrap_err().code(), "id-taken");
    assert_eq!(story(&world.store, ws.id).await, [EventKind::Created]);
}

async fn the_list_is_paged_newest_first(world: &World) {
    let (mine, theirs) = (UserId::new(), UserId::new());
    let mut made = Vec::new();
    for n in 0..7 {
        let mut ws = workspace(if n % 3 == 2 { theirs } else { mine });
        ws.created_at += TimeDelta::seconds(n);
        world.store.workspaces().insert(&ws).await.unwrap();
        made.push(ws);
    }
    made.reverse();
    let list = |owner, page| ListQuery { owner, page, per_page: 2, ..ListQuery::default() };
    let workspaces = world.store.workspaces();
    let of_me: Vec<_> = made.iter().filter(|ws| ws.owner == Owner::User(mine)).map(|ws| ws.id).collect();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let page = workspaces.list(&list(Some(Owner::User(mine)), page)).await.unwrap();
        assert_eq!(page.total, 5);
        seen.extend(page.items.into_iter().map(|item| item.id));
    }
    assert_eq!(seen, of_me);
    let all = workspaces.list(&list(None, 1)).await.unwrap();
    assert_eq!(all.total, 7);
    assert_eq!(all.items[0].id, made[0].id);
    assert!(!all.items[0].source.contains("hunter2"), "{}", all.items[0].source);
}

async fn the_list_can_be_narrowed(world: &World) {
    let ws = world.insert().await;
    world.insert().await;
    let count = async |query: ListQuery| world.store.workspaces().list(&query).await.unwrap().total;
    let text = |text: &str| ListQuery { text: Some(text.into()), ..ListQuery::default() };
    assert_eq!(count(text(ws.slug.as_str())).await, 1);
    assert_eq!(count(text("team/project")).await, 2);
    assert_eq!(count(text("100%_")).await, 0);
    assert_eq!(count(ListQuery { phase: Some(Phase::Running), ..ListQuery::default() }).await, 0);
}

async fn a_change_of_mind_forgets_what_failed(world: &World) {
    let ws = world.insert().await;
    let lease = world.store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let workspaces = world.store.workspaces();
    let failed = vec![Change::Failed(failure("build-failed")), Change::Phase(Phase::Failed)];
    let ws = workspaces.record(&lease, &ws, failed, vec![]).await.unwrap();
    assert_eq!(workspaces.load(ws.id).await.unwrap().failure, Some(failure("build-failed")));
    // The owner needs no lease.
    let ws = workspaces.want(ws.id, Desired::Stopped).await.unwrap();
    assert_eq!((ws.failure.as_ref(), ws.generation.0), (None, 2));
    let ws = workspaces.want_rebuild(ws.id).await.unwrap();
    assert_eq!((ws.desired, ws.generation.0, ws.rebuilds), (Desired::Running, 3, 1));
    assert_eq!(workspaces.load(ws.id).await.unwrap(), ws);
    let story = story(&world.store, ws.id).await;
    assert_eq!(story.last(), Some(&EventKind::Wanted { desired: Desired::Running, rebuild: true }));
}

async fn a_deleted_workspace_stays_deleted(world: &World) {
    let ws = world.insert().await;
    let workspaces = world.store.workspaces();
    workspaces.want(ws.id, Desired::Deleted).await.unwrap();
    let error = workspaces.want(ws.id, Desired::Running).await.unwrap_err();
    assert_eq!(error.code(), "being-deleted");
    assert_eq!(workspaces.want_rebuild(ws.id).await.unwrap_err().code(), "being-deleted");
    workspaces.want(ws.id, Desired::Deleted).await.unwrap();
    let missing = workspaces.want(WorkspaceId::new(), Desired::Running).await;
    assert!(matches!(missing, Err(StoreError::NotFound)));
}

async fn facts_of_an_old_rebuild_or_generation_are_refused(world: &World) {
    let seen = world.insert().await;
    let lease = world.store.leases().acquire(seen.id, "one", LONG).await.unwrap().unwrap();
    let workspaces = world.store.workspaces();
    workspaces.want_rebuild(seen.id).await.unwrap();
    let resolved = vec![done().remove(0), Change::Phase(Phase::Building)];
    let error = workspaces.record(&lease, &seen, resolved, vec![]).await.unwrap_err();
    assert_eq!(error.code(), "changed");
    let failed = vec![Change::Failed(failure("build-failed"))];
    assert_eq!(workspaces.record(&lease, &seen, failed, vec![]).await.unwrap_err().code(), "changed");
    let now = workspaces.load(seen.id).await.unwrap();
    assert_eq!((now.phase, &now.facts.resolution, &now.failure), (Phase::Pending, &None, &None));
    // What is true of volumes stays true.
    let volume =
        Populated { volume: VolumeId("v".into()), commit: None, branch: None, path: None, submodules: Vec::new() };
    let now = workspaces.record(&lease, &seen, vec![Change::Populated(volume.clone())], vec![]).await.unwrap();
    assert_eq!(now.facts.populated, Some(volume));
    assert_eq!(now.rebuilds, 1);
}

async fn phases_and_failures_tell_their_story(world: &World) {
    let ws = world.insert().await;
    let lease = world.store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let workspaces = world.store.workspaces();
    let phase = |phase| vec![Change::Phase(phase)];
    let ws = workspaces.record(&lease, &ws, phase(Phase::Resolving), vec![]).await.unwrap();
    let before = ws.updated_at;
    let ws = workspaces.record(&lease, &ws, phase(Phase::Resolving), vec![]).await.unwrap();
    assert_eq!(ws.updated_at, before, "nothing changed");
    let died = EventKind::Died { exit: Some(137), oom: true };
    let changes = vec![
        Change::Warned(failure("hook-failed")),
        Change::Failed(failure("build-failed")),
        Change::Phase(Phase::Failed),
    ];
    workspaces.record(&lease, &ws, changes, vec![died.clone()]).await.unwrap();
    assert_eq!(
        story(&world.store, ws.id).await,
        [
            EventKind::Created,
            EventKind::Phase { phase: Phase::Resolving },
            died,
            EventKind::Warned { failure: failure("hook-failed") },
            EventKind::Failed { failure: failure("build-failed") },
            EventKind::Phase { phase: Phase::Failed },
        ]
    );
}

async fn the_sweeper_sees_what_is_left_to_do(world: &World) {
    let ws = world.insert().await;
    let (leases, workspaces) = (world.store.leases(), world.store.workspaces());
    let unsettled = async || world.store.workspaces().unsettled(10).await.unwrap();
    assert_eq!(unsettled().await, [ws.id], "it was never driven");
    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    assert!(unsettled().await.is_empty(), "somebody drives it");

    let retry = |due| Change::Retry(Retry { step: "build".into(), code: "x".into(), attempts: 1, not_before: due });
    let later = Utc::now() + TimeDelta::minutes(5);
    let ws = workspaces.record(&lease, &ws, vec![retry(later)], vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert!(unsettled().await.is_empty(), "its retry is not due");

    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let ws = workspaces.record(&lease, &ws, vec![retry(Utc::now() - TimeDelta::minutes(5))], vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert_eq!(unsettled().await, [ws.id], "its retry is due");

    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let mut changes = done();
    changes.extend([spec(&ws), Change::Recovered, Change::Phase(Phase::Running)]);
    let ws = workspaces.record(&lease, &ws, changes, vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert!(unsettled().await.is_empty(), "it runs");
    assert!(workspaces.unseen(Duration::from_secs(60), 10).await.unwrap().is_empty());
    assert_eq!(workspaces.unseen(Duration::ZERO, 10).await.unwrap(), [ws.id]);

    workspaces.want_rebuild(ws.id).await.unwrap();
    assert_eq!(unsettled().await, [ws.id], "a rebuild whose ring was lost");
    workspaces.want(ws.id, Desired::Stopped).await.unwrap();
    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    workspaces.record(&lease, &ws, vec![Change::Phase(Phase::Stopped)], vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert!(unsettled().await.is_empty(), "it is stopped");
    workspaces.want(ws.id, Desired::Deleted).await.unwrap();
    assert_eq!(unsettled().await, [ws.id]);
}

async fn the_sweeper_sees_whom_somebody_rang_for(world: &World) {
    let ws = world.insert().await;
    let (leases, workspaces) = (world.store.leases(), world.store.workspaces());
    workspaces.want(ws.id, Desired::Stopped).await.unwrap();
    let short = Duration::from_millis(300);
    let lease = leases.acquire(ws.id, "one", short).await.unwrap().unwrap();
    workspaces.record(&lease, &ws, vec![Change::Phase(Phase::Stopped)], vec![]).await.unwrap();
    assert!(leases.acquire(ws.id, "two", LONG).await.unwrap().is_none());
    // The holder dies here, without a release.
    tokio::time::sleep(short * 2).await;
    assert_eq!(workspaces.unsettled(10).await.unwrap(), [ws.id]);
}

async fn entering_asks_for_another_look(world: &World) {
    let ws = world.insert().await;
    let (leases, workspaces) = (world.store.leases(), world.store.workspaces());
    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let mut changes = done();
    changes.extend([spec(&ws), Change::Phase(Phase::Running)]);
    let ws = workspaces.record(&lease, &ws, changes, vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert!(workspaces.unsettled(10).await.unwrap().is_empty());
    let now = Utc::now();
    workspaces.entered(ws.id, now).await.unwrap();
    workspaces.entered(ws.id, now - TimeDelta::minutes(1)).await.unwrap();
    let ws = workspaces.load(ws.id).await.unwrap();
    assert_eq!(ws.entered_at.unwrap().timestamp_micros(), now.timestamp_micros());
    assert_eq!(workspaces.unsettled(10).await.unwrap(), [ws.id], "postAttachCommand is left to do");
    let lease = leases.acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let attached = vec![Change::Attached(ws.entered_at.unwrap())];
    workspaces.record(&lease, &ws, attached, vec![]).await.unwrap();
    leases.release(lease).await.unwrap();
    assert!(workspaces.unsettled(10).await.unwrap().is_empty());
}

async fn purging_leaves_nothing(world: &World) {
    let ws = world.insert().await;
    let store = &world.store;
    let admin = store.users().admin();
    store.ports().set(ws.id, 3000, Visibility::Public).await.unwrap();
    let label = format!("3000-{}", ws.slug);
    let ticket = store.tickets().issue(&label, admin, Credential::Configured).await.unwrap();
    let cookie = store.tickets().redeem(ticket.reveal(), &label).await.unwrap().unwrap();
    store.logs().sink(ws.id).write("build", "hello");
    store.logs().flush(ws.id).await.unwrap();

    let lease = store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let error = store.workspaces().purge(&lease).await.unwrap_err();
    assert_eq!(error.code(), "changed", "its owner wants to keep it");
    store.workspaces().want(ws.id, Desired::Deleted).await.unwrap();
    store.workspaces().purge(&lease).await.unwrap();

    assert!(matches!(store.workspaces().load(ws.id).await, Err(StoreError::NotFound)));
    assert!(story(store, ws.id).await.is_empty());
    assert!(store.ports().list(ws.id).await.unwrap().is_empty());
    assert!(store.tickets().entry(cookie.reveal(), &label).await.unwrap().is_none());
    assert!(store.logs().read(ws.id, 0, 10).await.unwrap().is_empty());
    assert!(!world.folder().join("logs").join(ws.id.to_string()).exists());
    assert!(matches!(store.workspaces().purge(&lease).await, Err(StoreError::LostLease)));

    // Only that there was one is known for a day, and a second one of the same id is no trouble.
    let was_deleted = async |id| store.workspaces().was_deleted(id).await.unwrap();
    assert!(was_deleted(ws.id).await && !was_deleted(WorkspaceId::new()).await);
    store.workspaces().insert(&ws).await.unwrap();
    store.workspaces().want(ws.id, Desired::Deleted).await.unwrap();
    let lease = store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    store.workspaces().purge(&lease).await.unwrap();
    store.prune().await.unwrap();
    assert!(was_deleted(ws.id).await);
    world.execute("UPDATE tombstone SET at = at - 86400000000").await;
    store.prune().await.unwrap();
    assert!(!was_deleted(ws.id).await);
}

async fn the_gateway_finds_a_workspace(world: &World) {
    let ws = world.insert().await;
    let routes = world.store.routes();
    let lease = world.store.leases().acquire(ws.id, "one", LONG).await.unwrap().unwrap();
    let changes = vec![spec(&ws), Change::Phase(Phase::Running)];
    world.store.workspaces().record(&lease, &ws, changes, vec![]).await.unwrap();
    world.store.ports().set(ws.id, 3000, Visibility::SignedIn).await.unwrap();
    world.store.ports().set(ws.id, 4000, Visibility::Public).await.unwrap();
    world.store.ports().fall_back(ws.id).await.unwrap();
    let route = routes.find(&ws.slug).await.unwrap().unwrap();
    assert_eq!((route.workspace, route.phase, route.ide_port), (ws.id, Phase::Running, Some(39378)));
    assert_eq!(route.folder.as_deref(), Some("/workspaces/project"));
    assert_eq!(route.visibility.into_iter().collect::<Vec<_>>(), [(3000, Visibility::SignedIn)]);
    assert!(routes.find(&"nobody".parse().unwrap()).await.unwrap().is_none());
}
