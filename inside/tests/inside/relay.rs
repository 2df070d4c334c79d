//! Many connections over one pair of pipes.

use crate::world::World;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::Duration;

const OPEN: u8 = 1;
const DATA: u8 = 2;
const END: u8 = 3;
const RESET: u8 = 4;
const OPENED: u8 = 5;
const REFUSED: u8 = 6;
const WINDOW: u8 = 7;

struct Relay {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    _world: World,
}

impl Relay {
    fn start() -> Self {
        let world = World::new();
        let mut child = world.inside(&["relay"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, output, _world: world }
    }

    fn send(&mut self, id: u32, kind: u8, payload: &[u8]) {
        let mut frame = id.to_be_bytes().to_vec();
        frame.push(kind);
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        self.input.as_mut().unwrap().write_all(&frame).unwrap();
    }

    fn open(&mut self, id: u32, port: u16) -> u8 {
        self.send(id, OPEN, &port.to_be_bytes());
        self.frame().1
    }

    fn frame(&mut self) -> (u32, u8, Vec<u8>) {
        let mut header = [0; 9];
        self.output.read_exact(&mut header).unwrap();
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let mut payload = vec![0; number(5) as usize];
        self.output.read_exact(&mut payload).unwrap();
        (number(0), header[4], payload)
    }

    fn end(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

fn listen(address: &str, serve: impl Fn(TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(socket));
        }
    });
    port
}

/// Reads all, then answers: works only if a half-closed connection stays open the other way.
fn answers_after_the_end(mut socket: TcpStream) {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    socket.write_all(&all).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
}

#[test]
fn a_half_closed_stream_still_brings_the_answer() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        if TcpListener::bind(address).is_err() {
            continue;
        }
        let port = listen(address, answers_after_the_end);
        let mut relay = Relay::start();
        assert_eq!(relay.open(9, port), OPENED, "{address}");
        relay.send(9, DATA, b"hello ");
        relay.send(9, DATA, b"world");
        relay.send(9, END, b"");
        assert_eq!(relay.frame(), (9, DATA, b"hello world".to_vec()));
        assert_eq!(relay.frame(), (9, END, vec![]));
        assert_eq!(relay.open(9, port), OPENED, "a finished id is free again");
        assert_eq!(relay.end(), 0);
    }
}

#[test]
fn a_closed_port_is_refused_and_the_rest_goes_on() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = listen("127.0.0.1:0", answers_after_the_end);
    let mut relay = Relay::start();
    relay.send(1, OPEN, &free.to_be_bytes());
    let (id, kind, why) = relay.frame();
    assert_eq!((id, kind), (1, REFUSED));
    assert!(String::from_utf8_lossy(&why).contains("refused"));
    relay.send(1, DATA, b"late");
    assert_eq!(relay.open(2, port), OPENED);
    relay.send(2, RESET, b"");
    relay.send(2, DATA, b"late");
    assert_eq!(relay.open(3, port), OPENED);
    assert_eq!(relay.end(), 0);
}

#[test]
fn a_slow_reader_stops_its_own_stream_alone() {
    let stuck = listen("127.0.0.1:0", |socket| {
        thread::sleep(Duration::from_secs(60));
        drop(socket);
    });
    let flood = listen("127.0.0.1:0", |mut socket| while socket.write_all(&[7; 65536]).is_ok() {});
    let echo = listen("127.0.0.1:0", answers_after_the_end);
    let mut relay = Relay::start();
    // A stream nobody reads at the other end: what flows stops at the window.
    assert_eq!(relay.open(1, flood), OPENED);
    let mut got = 0;
    while got < 256 << 10 {
        let (id, kind, payload) = relay.frame();
        assert_eq!((id, kind), (1, DATA));
        got += payload.len();
    }
    assert_eq!(got, 256 << 10);
    // A listener that reads nothing: the window fills and is not given back in full.
    assert_eq!(relay.open(2, stuck), OPENED, "nothing more came of the first stream");
    relay.send(2, DATA, &vec![1; 256 << 10]);
    // And yet a third goes through.
    relay.send(3, OPEN, &echo.to_be_bytes());
    relay.send(3, DATA, b"ping");
    relay.send(3, END, b"");
    let mut kinds = Vec::new();
    while kinds.last() != Some(&END) {
        let (id, kind, _) = relay.frame();
        if id == 3 {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds, [OPENED, DATA, END]);
    // Credit for the first lets exactly that much through.
    relay.send(1, WINDOW, &1000u32.to_be_bytes());
    let mut more = 0;
    while more < 1000 {
        let (id, kind, payload) = relay.frame();
        if (id, kind) == (1, DATA) {
            more += payload.len();
        }
    }
    assert_eq!(more, 1000);
    // Whoever ignores the window loses the stream.
    // (The kernel takes some megabytes before the listener has to.)
    (0..64).for_each(|_| relay.send(2, DATA, &vec![1; 256 << 10]));
    while relay.frame().1 != RESET {}
    assert_eq!(relay.end(), 0);
}

#[test]
fn two_hundred_streams_carry_ten_megabytes_intact() {
    const STREAMS: u32 = 200;
    const EACH: usize = 50_000;
    let port = listen("127.0.0.1:0", answers_after_the_end);
    let mut relay = Relay::start();
    let mut input = relay.input.take().unwrap();
    let writer = thread::spawn(move || {
        let mut send = |id: u32, kind: u8, payload: &[u8]| {
            let mut frame = id.to_be_bytes().to_vec();
            frame.push(kind);
            frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
            frame.extend(payload);
            input.write_all(&frame).unwrap();
        };
        (0..STREAMS).for_each(|id| send(id, OPEN, &port.to_be_bytes()));
        for part in 0..5 {
            (0..STREAMS).for_each(|id| send(id, DATA, &vec![u8::try_from((id + part) % 251).unwrap(); EACH / 5]));
        }
        (0..STREAMS).for_each(|id| send(id, END, b""));
        input
    });
    let mut received: HashMap<u32, Vec<u8>> = HashMap::new();
    let mut ended = 0;
    while ended < STREAMS {
        let (id, kind, payload) = relay.frame();
        match kind {
            DATA => received.entry(id).or_default().extend(payload),
            END => ended += 1,
            OPENED | WINDOW => {}
            other => panic!("stream {id}: frame {other}: {}", String::from_utf8_lossy(&payload)),
        }
    }
    for (id, bytes) in &received {
        let expected: Vec<u8> =
            (0..5).flat_map(|part| vec![u8::try_from((id + part) % 251).unwrap(); EACH / 5]).collect();
        assert_eq!((bytes.len(), *bytes == expected), (EACH, true), "stream {id}");
    }
    assert_eq!(received.len(), STREAMS as usize);
    relay.input = Some(writer.join().unwrap());
    assert_eq!(relay.end(), 0);
}

#[test]
fn bytes_that_are_not_frames_end_it() {
    let mut relay = Relay::start();
    relay.input.as_mut().unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(relay.child.wait().unwrap().code(), Some(76));
}
