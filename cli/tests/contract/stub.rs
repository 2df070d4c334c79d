//! A server that gives the answers a test wants, to see what the command line makes of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::{Value, json};

/// What was asked.
pub struct Request {
    pub method: String,
    /// Without `/v1` and what follows a question mark.
    pub path: String,
    /// The last event that the client has seen.
    pub after: String,
    pub body: String,
}

/// What is answered.
pub struct Reply {
    status: u16,
    kind: &'static str,
    body: String,
}

/// An answer in JSON.
pub fn ok(body: &Value) -> Reply {
    Reply { status: 200, kind: "application/json", body: body.to_string() }
}

/// A refusal, as the API words it.
pub fn problem(status: u16, code: &str) -> Reply {
    let body = json!({ "code": code, "message": "no", "hint": "do" }).to_string();
    Reply { status, kind: "application/problem+json", body }
}

/// What a proxy says for a server that is down.
pub fn proxy(status: u16) -> Reply {
    Reply { status, kind: "text/html", body: "<h1>Bad Gateway</h1>".to_owned() }
}

/// Server-sent events, ids and data; the connection ends with them.
pub fn events(events: &[(u32, Value)]) -> Reply {
    let body = events.iter().map(|(id, data)| format!("id: {id}\ndata: {data}\n\n")).collect();
    Reply { status: 200, kind: "text/event-stream", body }
}

/// A workspace as the API shows it.
pub fn workspace(phase: &str, desired: &str) -> Value {
    let at = "2026-01-01T00:00:00Z";
    json!({
        "id": "w1", "slug": "quiet-fox", "phase": phase, "desired": desired,
        "url": "http://quiet-fox.localhost:8080/", "source": "https://example.com/a", "failure": null,
        "warnings": [{ "step": "hooks", "code": "hook-failed", "message": "no luck", "hint": null, "output": null }],
        "created_at": at, "updated_at": at,
    })
}

/// Answers for as long as the test runs.
pub fn serve(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || exchange(stream, &*answer));
        }
    });
    address
}

fn exchange(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Reply) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| {
        let named = head.iter().skip(1).filter_map(|line| line.split_once(':'));
        named.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()).next().unwrap_or_default()
    };
    let length: u64 = header("content-length").parse().unwrap_or_default();
    let mut body = String::new();
    (&mut reader).take(length).read_to_string(&mut body).ok()?;
    let mut words = head.first()?.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.trim_start_matches("/v1"));
    let path = path.split('?').next()?.to_owned();
    let Reply { status, kind, body } = answer(&Request { method, path, after: header("last-event-id"), body });
    write!(stream, "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}").ok()
}

/// A command without anything of ours in its environment, in a folder of its own.
pub fn steading(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steading"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STEADING_")) {
        command.env_remove(name);
    }
    command.args(words).current_dir(folder).stdin(std::process::Stdio::null());
    command
}

/// Runs a command against a stub.
pub fn run(server: &str, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    steading(folder.path(), words).env("STEADING_SERVER", server).env("STEADING_TOKEN", "t").output().unwrap()
}

/// What a command wrote to standard output and standard error, and how it ended.
pub fn told(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}
