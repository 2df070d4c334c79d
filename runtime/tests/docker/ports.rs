//! The door into workspaces, by address and through the relay.

use std::time::Duration;

use steading_core::WorkspaceId;
use steading_core::pod::Mount;
use steading_core::runtime::{Duplex, Runtime as _, RuntimeError};
use steading_runtime::conformance::SERVICE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, inside, server};

/// Waits until a port listens.
pub async fn ready(world: &World, id: WorkspaceId, port: u16) -> Box<dyn Duplex> {
    for _ in 0..500 {
        match world.docker.dial(id, port).await {
            Ok(stream) => return stream,
            Err(RuntimeError::NoListener(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("port {port} does not listen");
}

async fn get(mut stream: Box<dyn Duplex>) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_leads_to_nobody_else() {
    let Some(world) = World::new().await else { return };
    let (first, second) = (world.trial(), world.trial());
    world.docker.up(&first.spec).await.unwrap();
    assert!(get(ready(&world, first.id(), SERVICE).await).await.contains("200 OK"));
    // Behind the runtime's back, so that nothing but the look at the process can tell.
    world.engine.kill_container(&world.container(&first.spec), None).await.unwrap();
    world.docker.up(&second.spec).await.unwrap();
    drop(ready(&world, second.id(), SERVICE).await);
    let gone = world.docker.dial(first.id(), SERVICE).await;
    assert!(matches!(gone, Err(RuntimeError::Gone)), "it leads to another workspace");
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_listeners_are_reached_through_the_relay() {
    let Some(inside) = inside() else { return };
    let Some(world) = World::with(|config| config.ide.inside = inside).await else { return };
    std::fs::create_dir_all(world.config.server.data_dir.join("ide")).unwrap();
    let arch = world.docker.info().await.unwrap().arch;
    let bundle = world.config.server.data_dir.join(format!("ide/steading-ide-{arch}.tar"));
    std::fs::write(bundle, [0; 1024]).unwrap();
    let tools = world.docker.tools().await.unwrap();
    let mut trial = world.trial();
    let mounts = tools.into_iter().map(|tool| Mount::Tools { name: tool.name, target: tool.target });
    trial.spec.main.mounts.extend(mounts);
    world.docker.up(&trial.spec).await.unwrap();
    let closed = world.docker.dial(trial.id(), 5999).await;
    assert!(matches!(closed, Err(RuntimeError::NoListener(5999))));
    let _vite = world.begin(&trial.spec, server("127.0.0.1:5173")).await;
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        assert!(get(ready(&world, trial.id(), 5173).await).await.ends_with("ok\n"));
    }
    eprintln!("100 requests through the relay: {:?}", begun.elapsed());

    // A port that echoes: more than any window in both directions at once.
    let echo = "$| = 1; my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => q(127.0.0.1:7)) or die; print q(on); \
                while (my $c = $s->accept) { next if fork; while (sysread $c, my $b, 65536) { syswrite $c, $b } exit }";
    let command = ["perl", "-MIO::Socket::INET", "-e", echo].map(str::to_owned).to_vec();
    let _echo = world.begin(&trial.spec, command).await;
    let sent: Vec<u8> = (0..=255).cycle().take(8 << 20).collect();
    let begun = std::time::Instant::now();
    let (mut read, mut write) = tokio::io::split(ready(&world, trial.id(), 7).await);
    let send = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (_, count) = tokio::join!(send, read.read_to_end(&mut got));
    assert_eq!(count.unwrap(), sent.len());
    assert!(got == sent, "other bytes came back");
    eprintln!("8 MiB there and back through the relay: {:?}", begun.elapsed());

    // The relay dies with the container, and a new one is begun with the next.
    world.docker.down(trial.id(), Duration::from_secs(1)).await.unwrap();
    world.docker.up(&trial.spec).await.unwrap();
    let _vite = world.begin(&trial.spec, server("127.0.0.1:5173")).await;
    assert!(get(ready(&world, trial.id(), 5173).await).await.ends_with("ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_costs_no_call() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    drop(ready(&world, trial.id(), SERVICE).await);
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        drop(world.docker.dial(trial.id(), SERVICE).await.unwrap());
        times.push(begun.elapsed());
    }
    times.sort();
    eprintln!("a dial: median {:?}", times[25]);
    assert!(times[25] < Duration::from_millis(2), "a dial took {:?}", times[25]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_at_once_is_begun_again_unless_it_cannot_run() {
    let Some(world) = World::new().await else { return };
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    let pretend = async |exit: u8| {
        let script = format!("#!/bin/sh\necho once >> /calls\nexit {exit}\n");
        let write = format!("mkdir -p /opt/steading/bin && cd /opt/steading/bin && printf '%s' '{script}' > inside");
        assert_eq!(trial.shell(&format!("{write} && chmod 755 inside")).await.unwrap().exit, 0);
    };
    let dial = async || {
        let closed = world.docker.dial(trial.id(), 5999).await;
        assert!(matches!(closed, Err(RuntimeError::NoListener(5999))), "{:?}", closed.err());
    };
    let calls = async || trial.shell("cat /calls").await.unwrap().stdout.lines().count();
    pretend(1).await;
    dial().await;
    dial().await;
    assert_eq!(calls().await, 1, "it is not begun for each connection");
    tokio::time::sleep(Duration::from_secs(3)).await;
    dial().await;
    assert_eq!(calls().await, 2, "one accident is for ever");
    pretend(127).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        dial().await;
    }
    assert_eq!(calls().await, 3, "what cannot run is begun again");
}
