//! The raw byte stream of an exec.
//!
//! The client library cuts a terminal's bytes as if they were framed whenever they begin with a byte
//! below three, and holds whole frames in memory. What a hostile program prints must do neither, so
//! this is our own connection, where the address allows it.

use std::io;
use std::pin::Pin;

use bollard::errors::Error;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use steading_core::runtime::{Chunk, Duplex};
use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::codec::{Decoder, FramedRead};
use tokio_util::io::ReaderStream;

use super::engine::{Address, Engine};

/// The two directions of a command.
pub struct Streams {
    /// To its standard input.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// From its outputs.
    pub output: BoxStream<'static, io::Result<Chunk>>,
}

/// Starts a prepared exec and takes over its connection.
pub async fn start(engine: &Engine, client: &bollard::Docker, exec: &str, tty: bool) -> Result<Streams, Error> {
    let stream: Box<dyn Duplex> = match engine.address() {
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Address::Tcp(host) => Box::new(TcpStream::connect(host).await?),
        Address::Tls(_) => return through_library(client, exec, tty).await,
    };
    let version = client.client_version();
    let path = format!("/v{}.{}/exec/{exec}/start", version.major_version, version.minor_version);
    let body = serde_json::json!({ "Detach": false, "Tty": tty }).to_string();
    let request = Request::post(path)
        .header(HOST, "docker")
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .body(Full::new(Bytes::from(body)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status_code = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let message =
            json["message"].as_str().map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
        return Err(Error::DockerResponseServerError { status_code, message });
    }
    let (read, write) = tokio::io::split(TokioIo::new(hyper::upgrade::on(response).await?));
    let output = if tty {
        ReaderStream::new(read).map_ok(Chunk::Stdout).boxed()
    } else {
        FramedRead::new(read, Demultiplexer::default()).boxed()
    };
    Ok(Streams { stdin: Box::pin(write), output })
}

async fn through_library(client: &bollard::Docker, exec: &str, tty: bool) -> Result<Streams, Error> {
    use bollard::container::LogOutput;
    use bollard::exec::{StartExecOptions, StartExecResults};
    let options = StartExecOptions { detach: false, tty, output_capacity: None };
    match client.start_exec(exec, Some(options)).await? {
        StartExecResults::Attached { output, input } => {
            let output = output.map(|piece| match piece {
                Ok(LogOutput::StdErr { message }) => Ok(Chunk::Stderr(message)),
                Ok(other) => Ok(Chunk::Stdout(other.into_bytes())),
                Err(error) => Err(io::Error::other(error)),
            });
            Ok(Streams { stdin: input, output: output.boxed() })
        }
        StartExecResults::Detached => {
            Ok(Streams { stdin: Box::pin(tokio::io::sink()), output: futures::stream::empty().boxed() })
        }
    }
}

/// Undoes the engine's framing (`stream, 0, 0, 0, length u32`) without holding a frame.
#[derive(Debug, Default)]
struct Demultiplexer {
    error: bool,
    left: usize,
}

impl Decoder for Demultiplexer {
    type Item = Chunk;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Chunk>> {
        while self.left == 0 {
            let Some(&[stream, _, _, _, a, b, c, d]) = bytes.first_chunk::<8>() else {
                return Ok(None);
            };
            self.error = stream == 2;
            self.left = u32::from_be_bytes([a, b, c, d]) as usize;
            bytes.advance(8);
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let piece = bytes.split_to(self.left.min(bytes.len())).freeze();
        self.left -= piece.len();
        Ok(Some(if self.error { Chunk::Stderr(piece) } else { Chunk::Stdout(piece) }))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Chunk>> {
        let chunk = self.decode(bytes)?;
        if chunk.is_none() {
            bytes.clear();
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn framing_is_undone_wherever_it_is_cut() {
        let mut wire = vec![1, 0, 0, 0, 0, 0, 0, 3];
        wire.extend_from_slice(b"out");
        wire.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 2]);
        wire.extend_from_slice(b"er");
        wire.extend_from_slice(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'x']);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut decoder = Demultiplexer::default();
        let mut buffer = BytesMut::new();
        for byte in wire {
            buffer.extend_from_slice(&[byte]);
            while let Some(chunk) = decoder.decode(&mut buffer).unwrap() {
                match chunk {
                    Chunk::Stdout(bytes) => out.extend_from_slice(&bytes),
                    Chunk::Stderr(bytes) => err.extend_from_slice(&bytes),
                }
            }
        }
        assert_eq!((out.as_slice(), err.as_slice()), (b"outx".as_slice(), b"er".as_slice()));
        assert!(decoder.decode_eof(&mut buffer).unwrap().is_none());
    }
}
