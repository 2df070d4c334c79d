//! Byte streams of the runtime in memory.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use steading_core::WorkspaceId;
use steading_core::runtime::{Chunk, Process, ProcessControl, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::io::ReaderStream;

use super::{Answer, Fake};

/// What a pipe holds before its writer waits.
const PIPE: usize = 64 << 10;

struct Control {
    fake: Fake,
    id: WorkspaceId,
    exit: i64,
}

#[async_trait]
impl ProcessControl for Control {
    async fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        self.fake.running(self.id, |pod| pod.terminal = Some((columns, rows)))
    }

    async fn exit_code(&self) -> Result<i64> {
        Ok(self.exit)
    }
}

/// A process that has already said all it will.
pub fn answered(fake: &Fake, id: WorkspaceId, answer: Answer, tty: bool, stdin: bool) -> Process {
    let exit = answer.exit;
    let chunk = |text: String, error: bool| {
        let bytes = Bytes::from(text.into_bytes());
        let error = error && !tty;
        (!bytes.is_empty()).then_some(Ok(if error { Chunk::Stderr(bytes) } else { Chunk::Stdout(bytes) }))
    };
    let chunks: Vec<_> = [chunk(answer.stdout, false), chunk(answer.stderr, true)].into_iter().flatten().collect();
    Process {
        stdin: stdin.then(|| Box::new(tokio::io::sink()) as _),
        output: futures::stream::iter(chunks).boxed(),
        control: Box::new(Control { fake: fake.clone(), id, exit }),
    }
}

/// A process that prints what it is told, until it is told no more.
pub fn echo(fake: &Fake, id: WorkspaceId) -> Process {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (mut read, mut write) = tokio::io::split(theirs);
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    });
    let (read, write) = tokio::io::split(ours);
    Process {
        stdin: Some(Box::new(write)),
        output: ReaderStream::new(read).map(|bytes| bytes.map(Chunk::Stdout)).boxed(),
        control: Box::new(Control { fake: fake.clone(), id, exit: 0 }),
    }
}

/// A connection to a server that answers every HTTP request with 200 and the port in its body.
pub fn http(port: u16) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    tokio::spawn(serve(theirs, port));
    ours
}

async fn serve(mut stream: DuplexStream, port: u16) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            head.drain(..end + 4);
            let body = format!("port {port}\n");
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}
