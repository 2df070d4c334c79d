//! The doorbell.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use steading_core::WorkspaceId;
use steading_core::queue::Job;
use steading_store::{Store, StoreError, Turn};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

on_each_queue!(
    a_nudge_reaches_the_handler_at_once,
    a_nudge_reaches_another_process,
    a_nudge_during_the_work_leads_to_another_look,
    one_job_is_not_done_twice_at_once,
    a_worker_that_dies_loses_nothing,
    what_was_rung_before_the_start_is_heard,
    a_panic_ends_one_run_only,
    a_handler_that_fails_is_asked_again,
    a_shutdown_waits_for_what_is_under_way,
    two_processes_share_the_work,
    what_waits_keeps_nothing_else_from_its_turn,
    rings_are_pruned,
);

const SOON: Duration = Duration::from_secs(30);

fn drive() -> Job {
    Job::Drive { workspace: WorkspaceId::new() }
}

/// A worker that tells what it was asked.
fn worker(store: &Store) -> (mpsc::UnboundedReceiver<Job>, CancellationToken, JoinHandle<()>) {
    let (told, heard) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let handler = move |job, _| {
        let _ = told.send(job);
        async { Ok(()) }
    };
    let run = tokio::spawn(store.jobs(4).run(handler, stop.clone()));
    (heard, stop, run)
}

async fn next(heard: &mut mpsc::UnboundedReceiver<Job>) -> Job {
    tokio::time::timeout(SOON, heard.recv()).await.expect("no job came").unwrap()
}

async fn a_nudge_reaches_the_handler_at_once(world: &World) {
    let (mut heard, stop, run) = worker(&world.store);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let (job, rung) = (drive(), Instant::now());
        let nudge = tokio::spawn({
            let queue = world.store.queue();
            async move { queue.nudge(job).await }
        });
        assert_eq!(next(&mut heard).await, job);
        times.push(rung.elapsed());
        nudge.await.unwrap().unwrap();
    }
    times.sort();
    println!("nudge → handler: median {:?}, slowest {:?}", times[25], times[49]);
    assert!(times[25] < Duration::from_millis(20));
    // None of them comes again by way of the queue.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(heard.try_recv().is_err());
    stop.cancel();
    run.await.unwrap();
}

async fn a_nudge_reaches_another_process(world: &World) {
    let other = world.another().await;
    let (mut heard, stop, run) = worker(&other);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let (job, rung) = (drive(), Instant::now());
        world.store.queue().nudge(job).await.unwrap();
        assert_eq!(next(&mut heard).await, job);
        times.push(rung.elapsed());
    }
    println!("nudge → handler of another process: {times:?}");
    stop.cancel();
    run.await.unwrap();
}

async fn a_nudge_during_the_work_leads_to_another_look(world: &World) {
    let (started, mut starts) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let handler = move |_, _| {
        let _ = started.send(());
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(())
        }
    };
    let run = tokio::spawn(world.store.jobs(4).run(handler, stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let job = drive();
    world.store.queue().nudge(job).await.unwrap();
    tokio::time::timeout(SOON, starts.recv()).await.unwrap().unwrap();
    for _ in 0..20 {
        world.store.queue().nudge(job).await.unwrap();
    }
    tokio::time::timeout(SOON, starts.recv()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(starts.try_recv().is_err(), "twenty rings are one look");
    stop.cancel();
    run.await.unwrap();
}

async fn one_job_is_not_done_twice_at_once(world: &World) {
    let busy = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let handler = {
        let (busy, most) = (busy.clone(), most.clone());
        move |_, _| {
            let (busy, most) = (busy.clone(), most.clone());
            async move {
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
    let run = tokio::spawn(world.store.jobs(8).run(handler, stop.clone()));
    let job = drive();
    for _ in 0..40 {
        world.store.queue().nudge(job).await.unwrap();
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    stop.cancel();
    run.await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

async fn a_worker_that_dies_loses_nothing(world: &World) {
    let first = world.another().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let handler = move |job: Job, _| {
        let _ = started.send(job);
        std::future::pending::<Result<(), StoreError>>()
    };
    let run = tokio::spawn(first.jobs(2).run(handler, CancellationToken::new()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let job = drive();
    first.queue().nudge(job).await.unwrap();
    tokio::time::timeout(SOON, starts.recv()).await.unwrap().unwrap();
    // Long enough for the queue to have delivered it, too.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    run.abort();
    let _ = run.await;
    let died = Instant::now();
    let (mut heard, stop, run) = worker(&world.another().await);
    assert_eq!(next(&mut heard).await, job);
    println!("a dead worker's job came back after {:?}", died.elapsed());
    stop.cancel();
    run.await.unwrap();
}

async fn what_was_rung_before_the_start_is_heard(world: &World) {
    let job = drive();
    world.store.queue().nudge(job).await.unwrap();
    let (mut heard, stop, run) = worker(&world.another().await);
    assert_eq!(next(&mut heard).await, job);
    stop.cancel();
    run.await.unwrap();
}

async fn a_panic_ends_one_run_only(world: &World) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let handler = move |job: Job, _| {
        let told = told.clone();
        async move {
            let _ = told.send(job);
            if matches!(job, Job::Prebuild { .. }) {
                panic!("on purpose");
            }
            Ok(())
        }
    };
    let run = tokio::spawn(world.store.jobs(1).run(handler, stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let bad = Job::Prebuild { prebuild: steading_core::PrebuildId::new() };
    world.store.queue().nudge(bad).await.unwrap();
    assert_eq!(next(&mut heard).await, bad);
    let good = drive();
    world.store.queue().nudge(good).await.unwrap();
    assert_eq!(next(&mut heard).await, good);
    stop.cancel();
    run.await.unwrap();
}

async fn a_handler_that_fails_is_asked_again(world: &World) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let tries = Arc::new(AtomicUsize::new(0));
    let handler = move |job: Job, _| {
        let _ = told.send(job);
        let fails = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if fails { Err(StoreError::Unavailable("gone".into())) } else { Ok(()) } }
    };
    let run = tokio::spawn(world.store.jobs(2).run(handler, stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let job = drive();
    world.store.queue().nudge(job).await.unwrap();
    assert_eq!((next(&mut heard).await, next(&mut heard).await), (job, job));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(heard.try_recv().is_err());
    stop.cancel();
    run.await.unwrap();
}

async fn a_shutdown_waits_for_what_is_under_way(world: &World) {
    let stop = CancellationToken::new();
    let done = Arc::new(AtomicUsize::new(0));
    let (started, mut starts) = mpsc::unbounded_channel();
    let handler = {
        let done = done.clone();
        move |_, _| {
            let (done, started) = (done.clone(), started.clone());
            async move {
                let _ = started.send(());
                tokio::time::sleep(Duration::from_millis(700)).await;
                done.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
    let run = tokio::spawn(world.store.jobs(1).run(handler, stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.store.queue().nudge(drive()).await.unwrap();
    let left = drive();
    world.store.queue().nudge(left).await.unwrap();
    starts.recv().await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), run).await.unwrap().unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 1, "the first was finished, the second was not started");
    let (mut heard, stop, run) = worker(&world.another().await);
    assert_eq!(next(&mut heard).await, left);
    stop.cancel();
    run.await.unwrap();
}

async fn what_waits_keeps_nothing_else_from_its_turn(world: &World) {
    let other = world.another().await;
    let (told, mut heard) = mpsc::unbounded_channel();
    let waiting: Arc<Mutex<Vec<Job>>> = Arc::default();
    let stop = CancellationToken::new();
    let handler = {
        let (waiting, stop) = (waiting.clone(), stop.clone());
        move |job, turn: Arc<Turn>| {
            let (told, stop) = (told.clone(), stop.clone());
            let waits = waiting.lock().unwrap().contains(&job);
            async move {
                let _ = told.send(job);
                if waits {
                    turn.aside(stop.cancelled()).await;
                }
                Ok(())
            }
        }
    };
    let run = tokio::spawn(other.jobs(1).run(handler, stop.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Rung in this process and in another one.
    for store in [&other, &world.store] {
        for _ in 0..3 {
            let job = drive();
            waiting.lock().unwrap().push(job);
            store.queue().nudge(job).await.unwrap();
            assert_eq!(next(&mut heard).await, job);
        }
        let job = drive();
        store.queue().nudge(job).await.unwrap();
        assert_eq!(next(&mut heard).await, job);
    }
    stop.cancel();
    run.await.unwrap();
}

async fn two_processes_share_the_work(world: &World) {
    let seen: Arc<Mutex<HashMap<Job, usize>>> = Arc::default();
    let stop = CancellationToken::new();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let store = world.another().await;
        let seen = seen.clone();
        let handler = move |job, _| {
            *seen.lock().unwrap().entry(job).or_default() += 1;
            async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(())
            }
        };
        runs.push(tokio::spawn(store.jobs(4).run(handler, stop.clone())));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let jobs: Vec<_> = (0..40).map(|_| drive()).collect();
    for job in &jobs {
        world.store.queue().nudge(*job).await.unwrap();
    }
    let started = Instant::now();
    while seen.lock().unwrap().len() < jobs.len() {
        assert!(started.elapsed() < SOON, "{} of {} were done", seen.lock().unwrap().len(), jobs.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("40 jobs of a third process took {:?}", started.elapsed());
    stop.cancel();
    for run in runs {
        run.await.unwrap();
    }
    assert!(seen.lock().unwrap().values().all(|times| *times == 1), "{seen:?}");
}

async fn rings_are_pruned(world: &World) {
    let (mut heard, stop, run) = worker(&world.store);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..20 {
        world.store.queue().nudge(drive()).await.unwrap();
    }
    for _ in 0..20 {
        next(&mut heard).await;
    }
    let kept = drive();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    stop.cancel();
    run.await.unwrap();
    world.store.queue().nudge(kept).await.unwrap();
    world.store.prune().await.unwrap();
    assert_eq!(jobs_kept(world).await, 1);
    let (mut heard, stop, run) = worker(&world.another().await);
    assert_eq!(next(&mut heard).await, kept);
    stop.cancel();
    run.await.unwrap();
}

async fn jobs_kept(world: &World) -> i64 {
    use sea_orm::{ConnectionTrait as _, Database, Statement};
    let redis = world.config.queue.url.reveal();
    if !redis.is_empty() {
        let mut connection = ::redis::Client::open(redis.as_str()).unwrap().get_connection().unwrap();
        let key = format!("steading:{}:data", world.store.installation());
        return ::redis::cmd("HLEN").arg(key).query(&mut connection).unwrap();
    }
    let file = format!("sqlite://{}", world.folder().join("queue.db").display());
    let database = Database::connect(file).await.unwrap();
    let statement = Statement::from_string(database.get_database_backend(), "SELECT COUNT(*) AS n FROM Jobs");
    database.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
}
