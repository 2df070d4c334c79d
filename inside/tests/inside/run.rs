//! Commands that somebody waits for: `inside run` between pipes.

use crate::world::{World, eventually, me, runs, text};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], payload].concat()
}

fn command(world: &World, script: &str) -> Command {
    world.inside(&["run", "--user", &me(), "--env", "A=1", "--", "/bin/sh", "-c", script])
}

fn begin(world: &World, script: &str) -> Child {
    let mut command = command(world, script);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn it_reads_prints_and_ends_as_the_command_does() {
    let world = World::new();
    let mut child = begin(&world, "echo $A >&2; cat; exit 7");
    let mut input = child.stdin.take().unwrap();
    // More than any pipe holds, both ways at once.
    let block = vec![b'x'; 60_000];
    let writing = std::thread::spawn(move || {
        (0..50).for_each(|_| input.write_all(&frame(1, &block)).unwrap());
        input.write_all(&frame(3, b"")).unwrap();
        input
    });
    let output = child.wait_with_output().unwrap();
    drop(writing.join().unwrap());
    assert_eq!((output.status.code(), output.stdout.len(), text(&output.stderr)), (Some(7), 3_000_000, "1\n".into()));
    // Who never reads is not waited for.
    let mut deaf = begin(&world, "exit 3");
    let mut input = deaf.stdin.take().unwrap();
    assert_eq!(deaf.wait().unwrap().code(), Some(3));
    let _ = input.write_all(&frame(1, b"late"));
}

#[test]
fn it_ends_with_whoever_waits_for_it() {
    let world = World::new();
    let pids = world.path("pids");
    for (end, limit) in [("sleep 600", 1500), ("trap '' TERM; while :; do sleep 0.1; done", 5000)] {
        let _ = std::fs::remove_file(&pids);
        let mut child = begin(&world, &format!("sleep 601 & echo $$ $! > {}; {end}", pids.display()));
        eventually("it runs", || world.read("pids").ends_with('\n'));
        let group: Vec<i64> = world.read("pids").split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert!(group.iter().all(|pid| runs(*pid)));
        let begun = Instant::now();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(begun.elapsed() < Duration::from_millis(limit), "{:?}", begun.elapsed());
        assert!(!group.iter().any(|pid| runs(*pid)), "{end}");
    }
    // As long as somebody waits it goes on, whether it has all of its input or not.
    let mut child = begin(&world, "cat; sleep 0.5; echo done");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&frame(3, b"")).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), child.wait().unwrap().code()), ("done\n", Some(0)));
    drop(input);
}

#[test]
fn mistakes_run_nothing() {
    let world = World::new();
    let wordless = world.run(&["run", "--user", &me()]);
    assert_eq!(wordless.status.code(), Some(64));
    let mut child = begin(&world, "sleep 600");
    child.stdin.take().unwrap().write_all(b"ls -l\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(76));
}
