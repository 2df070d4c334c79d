//! Our side of the relay against a scripted other side.

use std::time::Duration;

use futures::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::io::ReaderStream;

use super::frame::WINDOW;
use super::*;

/// The container's side, spoken by hand.
struct Far {
    pipe: DuplexStream,
    decoder: Decoder,
}

impl Far {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            let mut bytes = vec![0; 4096];
            let count = self.pipe.read(&mut bytes).await.unwrap();
            if count == 0 {
                return None;
            }
            self.decoder.push(&bytes[..count]);
        }
    }

    async fn say(&mut self, id: u32, kind: Kind, payload: &[u8]) {
        let mut bytes = Vec::new();
        Frame::new(id, kind, payload.to_vec()).put(&mut bytes);
        self.pipe.write_all(&bytes).await.unwrap();
    }

    async fn accept(&mut self) -> (u32, u16) {
        let frame = self.next().await.unwrap();
        assert_eq!(frame.kind, Kind::Open);
        let port = u16::from_be_bytes(*frame.payload.first_chunk().unwrap());
        self.say(frame.id, Kind::Opened, b"").await;
        (frame.id, port)
    }
}

fn pair() -> (Arc<Session>, Far) {
    let (ours, pipe) = tokio::io::duplex(1 << 20);
    let (read, write) = tokio::io::split(ours);
    let output = ReaderStream::new(read).map_ok(Chunk::Stdout).boxed();
    (Arc::new(Session::new(Box::new(write), output)), Far { pipe, decoder: Decoder::default() })
}

#[tokio::test]
async fn bytes_go_both_ways_and_end_one_by_one() {
    let (session, mut far) = pair();
    let (stream, accepted) = tokio::join!(session.open(3000), far.accept());
    let (mut stream, (id, port)) = (stream.unwrap(), accepted);
    assert_eq!(port, 3000);
    stream.write_all(b"question").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(far.next().await.unwrap(), Frame::new(id, Kind::Data, b"question".to_vec()));
    assert_eq!(far.next().await.unwrap().kind, Kind::End);
    far.say(id, Kind::Data, b"answer").await;
    far.say(id, Kind::End, b"").await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "answer");
    // Both sides have ended, so nothing is left of it.
    tokio::time::timeout(Duration::from_secs(1), async {
        while !session.table.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_refusal_is_one() {
    let (session, mut far) = pair();
    let refuse = async {
        let frame = far.next().await.unwrap();
        far.say(frame.id, Kind::Refused, b"nobody").await;
    };
    let (opened, ()) = tokio::join!(session.open(1), refuse);
    assert_eq!(opened.err(), Some(OpenError::Refused));
    assert!(!session.is_over() && session.spoke());
}

#[tokio::test]
async fn the_window_is_kept() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    let mut stream = stream.unwrap();
    let write = tokio::spawn(async move {
        stream.write_all(&vec![7; 2 * WINDOW]).await.unwrap();
        stream
    });
    let mut got = 0;
    while got < WINDOW {
        got += far.next().await.unwrap().payload.len();
    }
    assert_eq!(got, WINDOW);
    let more = tokio::time::timeout(Duration::from_millis(50), far.next()).await;
    assert!(more.is_err(), "{more:?}");
    far.say(id, Kind::Window, &100u32.to_be_bytes()).await;
    assert_eq!(far.next().await.unwrap().payload.len(), 100);
    write.abort();
}

#[tokio::test]
async fn more_than_the_window_is_cut_off() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    let mut stream = stream.unwrap();
    for _ in 0..3 * WINDOW / 4096 {
        far.say(id, Kind::Data, &[0; 4096]).await;
    }
    assert_eq!(far.next().await.unwrap().kind, Kind::Reset);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() <= WINDOW + 4096, "{}", rest.len());
}

#[tokio::test]
async fn frames_without_bytes_wait_nowhere() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    let (mut read, mut write) = tokio::io::split(stream.unwrap());
    // The caller reads nothing, so that all this would stand behind bytes that wait for ever.
    far.say(id, Kind::Data, &vec![7; WINDOW]).await;
    for _ in 0..10_000 {
        far.say(id, Kind::Data, b"").await;
    }
    far.say(id, Kind::Window, &(u32::try_from(WINDOW).unwrap()).to_be_bytes()).await;
    let write = tokio::spawn(async move {
        write.write_all(&vec![7; 2 * WINDOW]).await.unwrap();
        write
    });
    let mut got = 0;
    while got < 2 * WINDOW {
        let frame = tokio::time::timeout(Duration::from_secs(5), far.next()).await.expect("the credit waits, too");
        got += frame.unwrap().payload.len();
    }
    far.say(id, Kind::End, b"").await;
    far.say(id, Kind::End, b"").await;
    let mut rest = Vec::new();
    read.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len(), WINDOW);
    drop(write.await.unwrap());
}

#[tokio::test]
async fn bytes_after_the_end_cut_a_stream_off() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    let _stream = stream.unwrap();
    far.say(id, Kind::End, b"").await;
    far.say(id, Kind::Data, b"more").await;
    assert_eq!(far.next().await.unwrap(), Frame::new(id, Kind::Reset, Vec::new()));
}

#[tokio::test]
async fn an_answer_that_comes_twice_changes_nothing() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    let mut stream = stream.unwrap();
    far.say(id, Kind::Opened, b"").await;
    far.say(id, Kind::Refused, b"").await;
    far.say(id, Kind::Data, b"still here").await;
    far.say(id, Kind::End, b"").await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "still here");
}

#[tokio::test]
async fn what_is_no_relay_ends_at_once() {
    let (session, mut far) = pair();
    far.pipe.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    assert_eq!(session.open(1).await.err(), Some(OpenError::Over));
    assert!(session.is_over() && session.babbled() && !session.spoke());
}

#[tokio::test]
async fn streams_end_with_the_relay() {
    let (session, mut far) = pair();
    let (stream, _) = tokio::join!(session.open(1), far.accept());
    drop(far);
    let mut rest = Vec::new();
    stream.unwrap().read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(session.open(1).await.err(), Some(OpenError::Over));
}

#[tokio::test]
async fn the_relay_ends_when_nobody_needs_it() {
    let (session, mut far) = pair();
    let (stream, (id, _)) = tokio::join!(session.open(1), far.accept());
    drop(session);
    drop(stream);
    assert_eq!(far.next().await.unwrap(), Frame::new(id, Kind::End, Vec::new()));
    far.say(id, Kind::End, b"").await;
    assert_eq!(far.next().await, None);
}
