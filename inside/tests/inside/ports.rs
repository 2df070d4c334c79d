//! Who listens.

use crate::world::World;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn listeners_are_listed_and_watched() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = String::from_utf8(world.run(&["ports"]).stdout).unwrap();
    let found = lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).find(|l| l["port"] == port).unwrap();
    assert_eq!((&found["address"], &found["process"]["pid"]), (&"127.0.0.1".into(), &std::process::id().into()));

    let mut watcher = world.inside(&["ports", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines().map(|line| {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        (line["event"].as_str().unwrap().to_owned(), line["port"].as_u64().unwrap())
    });
    assert!(lines.any(|line| line == ("opened".to_owned(), u64::from(port))));
    drop(listener);
    assert!(lines.any(|line| line == ("closed".to_owned(), u64::from(port))));
    drop(lines);
    assert_eq!(watcher.wait().unwrap().code(), Some(141), "a watcher ends with its reader");
}
