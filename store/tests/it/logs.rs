//! The output of steps.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use steading_core::WorkspaceId;
use steading_core::log::{LogLine, Mark};

use crate::world::World;

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn lines_are_numbered_and_read_from_any_place() {
    let world = World::sqlite().await;
    let (logs, id) = (world.store.logs(), WorkspaceId::new());
    let sink = logs.sink(id);
    sink.write("build", "one\ntwo\n");
    logs.sink(id).write("hook:postCreateCommand", "\u{1b}[31mthree\u{1b}[0m\0");
    logs.flush(id).await.unwrap();
    let all = logs.read(id, 0, 100).await.unwrap();
    assert_eq!(texts(&all), ["one", "two", "\u{1b}[31mthree\u{1b}[0m␀"]);
    assert_eq!(all.iter().map(|line| line.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(all[2].stream, "hook:postCreateCommand");
    assert_eq!(texts(&logs.read(id, 1, 1).await.unwrap()), ["two"]);
    assert!(logs.read(id, 3, 10).await.unwrap().is_empty());
    assert!(logs.read(WorkspaceId::new(), 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_source_that_is_read_again_goes_on_where_the_log_is() {
    let world = World::sqlite().await;
    let (logs, id) = (world.store.logs(), WorkspaceId::new());
    assert_eq!(logs.upto(id, "a").await.unwrap(), None);
    let sink = logs.sink(id);
    for (line, upto) in [("$ title", 0), ("one", 4), ("two", 8)] {
        sink.write_marked("hook", line, Mark { source: "a", upto });
    }
    sink.write("hook", "not of it");
    assert_eq!(world.another().await.logs().upto(id, "a").await.unwrap_or_default(), logs.upto(id, "a").await.unwrap());
    assert_eq!(logs.upto(id, "a").await.unwrap(), Some(8));
    assert_eq!(logs.upto(id, "b").await.unwrap(), None);
    let all = logs.read(id, 0, 10).await.unwrap();
    assert_eq!(texts(&all), ["$ title", "one", "two", "not of it"]);
    assert!(all.iter().all(|line| line.stream == "hook"));
}

#[tokio::test]
async fn logs_without_a_workspace_are_pruned() {
    let world = World::sqlite().await;
    let (kept, gone) = (world.insert().await.id, WorkspaceId::new());
    for id in [kept, gone] {
        world.store.logs().sink(id).write("build", "line");
        world.store.logs().flush(id).await.unwrap();
    }
    std::fs::create_dir(world.folder().join("logs/somebody-elses")).unwrap();
    world.another().await.prune().await.unwrap();
    let mut left: Vec<_> =
        std::fs::read_dir(world.folder().join("logs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["somebody-elses", kept.to_string().as_str()]);
}

#[tokio::test]
async fn numbers_go_on_after_a_restart() {
    let world = World::sqlite().await;
    let id = WorkspaceId::new();
    world.store.logs().sink(id).write("build", "before");
    world.store.logs().flush(id).await.unwrap();
    let next = world.another().await;
    next.logs().sink(id).write("build", "after");
    next.logs().flush(id).await.unwrap();
    let lines = next.logs().read(id, 0, 10).await.unwrap();
    assert_eq!(texts(&lines), ["before", "after"]);
    assert_eq!(lines[1].seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_has_neither_gaps_nor_doubles_across_processes() {
    let world = World::sqlite().await;
    let other = world.another().await;
    let id = WorkspaceId::new();
    world.store.logs().sink(id).write("build", "history");
    let tail = other.logs().tail(id, 0);
    let resumed = world.store.logs().tail(id, 1000);
    let writers = [world.store.clone(), other.clone()].map(|store| {
        tokio::spawn(async move {
            let sink = store.logs().sink(id);
            for n in 0..1500 {
                sink.write("build", &format!("line {n}"));
                if n % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            store.logs().flush(id).await.unwrap();
        })
    });
    let limit = Duration::from_secs(20);
    let seen = tokio::time::timeout(limit, tail.map(|line| line.seq).take(3001).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(seen, (1..=3001).collect::<Vec<_>>());
    let seen = tokio::time::timeout(limit, resumed.map(|line| line.seq).take(2001).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(seen, (1001..=3001).collect::<Vec<_>>());
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn new_lines_reach_a_reader_at_once() {
    let world = World::sqlite().await;
    let (logs, id) = (world.store.logs(), WorkspaceId::new());
    let mut tail = logs.tail(id, 0);
    let sink = logs.sink(id);
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let written = Instant::now();
        sink.write("build", &n.to_string());
        assert_eq!(tail.next().await.unwrap().text, n.to_string());
        slowest = slowest.max(written.elapsed());
    }
    assert!(slowest < Duration::from_millis(400), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_hurts_nobody() {
    let world = World::sqlite().await;
    let (logs, id) = (world.store.logs(), WorkspaceId::new());
    let sink = logs.sink(id);
    let line = "x".repeat(999);
    let many = format!("{line}\n").repeat(1000);
    let started = Instant::now();
    for _ in 0..100 {
        sink.write("build", &many);
    }
    println!("100 MB were taken in {:?}", started.elapsed());
    sink.write("build", &"y".repeat(50 << 20));
    drop(sink);
    logs.flush(id).await.unwrap();
    logs.sink(id).write("build", "the end");
    logs.flush(id).await.unwrap();
    println!("and written after {:?}", started.elapsed());
    let folder = world.folder().join("logs").join(id.to_string());
    let size: u64 = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 40 << 20, "{size} bytes are kept");
    let lines = logs.read(id, 0, usize::MAX).await.unwrap();
    assert_eq!(lines.last().unwrap().text, "the end");
    assert!(lines.iter().all(|line| line.text.len() < 17 << 10));
    // What was dropped before the disk is counted; what was dropped from the disk is told at its beginning.
    assert!(lines.iter().any(|line| line.text.contains("were dropped")));
    assert!(lines.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
}

#[tokio::test]
async fn a_removed_log_ends_its_readers() {
    let world = World::sqlite().await;
    let other = world.another().await;
    let (logs, id) = (world.store.logs(), WorkspaceId::new());
    logs.sink(id).write("build", "hello");
    logs.flush(id).await.unwrap();
    let (mut here, mut there) = (logs.tail(id, 0), other.logs().tail(id, 0));
    assert_eq!(here.next().await.unwrap().text, "hello");
    assert_eq!(there.next().await.unwrap().text, "hello");
    logs.remove(id).await.unwrap();
    let soon = Duration::from_secs(5);
    assert!(tokio::time::timeout(soon, here.next()).await.unwrap().is_none());
    assert!(tokio::time::timeout(soon, there.next()).await.unwrap().is_none());
    assert!(logs.read(id, 0, 10).await.unwrap().is_empty());
}
