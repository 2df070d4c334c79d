//! Whether a service answers: one HTTP request through the runtime's door.

use std::time::Duration;

use steading_core::WorkspaceId;
use steading_core::runtime::{Runtime, RuntimeError};
use steading_core::service::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long one answer may take: the first page of an IDE that starts is its slowest.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It can be used.
    Ready,
    /// Nothing listens yet, or it hung up.
    Silent,
    /// It answered, but not as a service that can be used; the status line, or what it said instead.
    Unfit(String),
}

/// Asks a service for the page that says it can be used.
///
/// # Errors
/// What the runtime says, except that nothing listens: that is [`Answer::Silent`].
pub(crate) async fn ask(runtime: &dyn Runtime, id: WorkspaceId, service: &Service) -> Result<Answer, RuntimeError> {
    let asked = async {
        let mut stream = match runtime.dial(id, service.port).await {
            Ok(stream) => stream,
            Err(RuntimeError::NoListener(_)) => return Ok(Answer::Silent),
            Err(error) => return Err(error),
        };
        let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", service.ready_path);
        if stream.write_all(request.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return Ok(Answer::Silent);
        }
        let mut head = Vec::with_capacity(256);
        while !head.contains(&b'\n') && head.len() < 1024 {
            match stream.read_buf(&mut head).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(read(&head))
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Ok(Answer::Silent))
}

fn read(head: &[u8]) -> Answer {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).trim().to_owned();
    if line.is_empty() {
        return Answer::Silent;
    }
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    match status {
        Some(200..=399) => Answer::Ready,
        // What stands in front of a service while it starts says so in this way.
        Some(502..=504) => Answer::Silent,
        Some::<u16>(_) | None => Answer::Unfit(line.chars().take(100).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_or_a_way_to_it_is_ready() {
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n"), Answer::Ready);
        assert_eq!(read(b"HTTP/1.1 302 Found\r\nLocation: x"), Answer::Ready);
        assert_eq!(read(b"HTTP/1.1 503 Service Unavailable\r\n"), Answer::Silent);
        assert_eq!(read(b""), Answer::Silent);
        assert_eq!(read(b"HTTP/1.1 500 Oops\r\n"), Answer::Unfit("HTTP/1.1 500 Oops".to_owned()));
        assert_eq!(read(b"SSH-2.0-x\r\n"), Answer::Unfit("SSH-2.0-x".to_owned()));
    }
}
