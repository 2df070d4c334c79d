//! `git http-backend` behind a small HTTP server, with what forges have around it: private
//! repositories, moved ones, pages that are no repositories, and large files.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// `me:secret`
const AUTHORIZATION: &str = "Basic bWU6c2VjcmV0";

#[derive(Clone)]
pub struct Server {
    pub url: String,
    root: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    secrets: Arc<Mutex<Vec<String>>>,
    large: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    padding: Arc<Mutex<usize>>,
}

impl Server {
    pub async fn start(root: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            url,
            root: root.to_owned(),
            log: Arc::default(),
            secrets: Arc::default(),
            large: Arc::default(),
            padding: Arc::default(),
        };
        let this = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let this = this.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let this = this.clone();
                        async move { Ok::<_, Infallible>(this.respond(request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        server
    }

    /// The requests since the last look.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// What requests said who they are, since the last look.
    pub fn secrets(&self) -> Vec<String> {
        std::mem::take(&mut self.secrets.lock().unwrap())
    }

    pub fn host(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    pub fn add_large(&self, oid: &str, content: &[u8]) {
        self.large.lock().unwrap().insert(oid.to_owned(), content.to_vec());
    }

    /// Makes answers about large files longer by so many bytes.
    pub fn pad(&self, bytes: usize) {
        *self.padding.lock().unwrap() = bytes;
    }

    /// The answer, or half of one: what follows is silence under `/hang/`, and a byte now and then
    /// under `/drip/`.
    async fn respond(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().to_string();
        let half = ["/hang", "/drip"].into_iter().find(|prefix| path.starts_with(&format!("{prefix}/")));
        let Some(prefix) = half else { return self.answer(request).await.map(BodyExt::boxed_unsync) };
        *request.uri_mut() = path[prefix.len()..].parse().unwrap();
        let is_pack = request.method() == "POST";
        let (head, body) = self.answer(request).await.into_parts();
        if !is_pack {
            return Response::from_parts(head, body.boxed_unsync());
        }
        let whole = body.collect().await.unwrap().to_bytes();
        let first = stream::iter([whole.slice(..whole.len() / 2)]);
        let rest = stream::unfold(whole.slice(whole.len() / 2..), move |mut rest| async move {
            let pause = if prefix == "/hang" { Duration::from_secs(3600) } else { Duration::from_millis(300) };
            tokio::time::sleep(pause).await;
            (!rest.is_empty()).then(|| (rest.split_to(1), rest))
        });
        let body = StreamBody::new(first.chain(rest).map(|bytes| Ok(Frame::data(bytes))));
        Response::from_parts(head, body.boxed_unsync())
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
        self.log.lock().unwrap().push(format!("{} {path}", head.method));
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        self.secrets.lock().unwrap().extend(
            Some(header("authorization")).filter(|secret| !secret.is_empty()).map(|secret| format!("{path} {secret}")),
        );
        if path.starts_with("/private/") && header("authorization") != AUTHORIZATION {
            return plain(401, "no").header_of("www-authenticate", "Basic realm=x");
        }
        if let Some(rest) = path.strip_prefix("/moved/large/") {
            // Large files lie elsewhere: another name of this machine is another origin.
            let elsewhere = self.url.replace("127.0.0.1", "localhost");
            return plain(302, "").header_of("location", &format!("{elsewhere}/large/{rest}"));
        }
        if let Some(rest) = path.strip_prefix("/moved/") {
            return plain(301, "").header_of("location", &format!("/{rest}?{query}"));
        }
        if path.starts_with("/elsewhere/") {
            return plain(302, "").header_of("location", &format!("http://127.0.0.2:9/x/info/refs?{query}"));
        }
        if path.starts_with("/page/") {
            return plain(200, "<html>").header_of("content-type", "text/html");
        }
        if path.starts_with("/broken/") {
            return plain(500, "oops");
        }
        if path.ends_with("/info/lfs/objects/batch") {
            return self.batch(&body);
        }
        if let Some(oid) = path.strip_prefix("/large/") {
            return match self.large.lock().unwrap().get(oid) {
                Some(content) => Response::new(Full::new(Bytes::from(content.clone()))),
                None => plain(404, ""),
            };
        }
        self.backend(head.method.as_str(), &path, &query, &header("content-type"), &body).await
    }

    fn batch(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let large = self.large.lock().unwrap();
        if large.is_empty() {
            return plain(404, "no LFS here");
        }
        let question: serde_json::Value = serde_json::from_slice(body).unwrap();
        let objects: Vec<serde_json::Value> = question["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| {
                let oid = object["oid"].as_str().unwrap();
                let mut found = serde_json::json!({"oid": oid, "size": u64::MAX});
                if large.contains_key(oid) {
                    let href = format!("{}/moved/large/{oid}", self.url);
                    let header = serde_json::json!({"Authorization": "Bearer here-alone"});
                    found["actions"] = serde_json::json!({"download": {"href": href, "header": header}});
                } else {
                    found["error"] = serde_json::json!({"code": 404});
                }
                found
            })
            .collect();
        // An object that nobody asked for, and sizes that are not so: a host may say what it likes.
        let unasked = large.keys().filter(|oid| !objects.iter().any(|object| object["oid"] == **oid));
        let unasked = unasked.map(|oid| {
            let href = format!("{}/large/{oid}", self.url);
            serde_json::json!({"oid": oid, "size": u64::MAX, "actions": {"download": {"href": href}}})
        });
        let objects: Vec<_> = unasked.chain(objects.iter().cloned()).collect();
        let padding = " ".repeat(*self.padding.lock().unwrap());
        plain(200, &(serde_json::json!({ "objects": objects }).to_string() + &padding))
            .header_of("content-type", "application/vnd.git-lfs+json")
    }

    async fn backend(&self, method: &str, path: &str, query: &str, kind: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let mut child = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_CONFIG_COUNT", "2")
            .envs([("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")])
            .envs([("GIT_CONFIG_KEY_1", "uploadpack.allowAnySHA1InWant"), ("GIT_CONFIG_VALUE_1", "true")])
            .envs([("REQUEST_METHOD", method), ("PATH_INFO", path), ("QUERY_STRING", query), ("CONTENT_TYPE", kind)])
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let body = body.to_vec();
        tokio::spawn(async move {
            let _ = stdin.write_all(&body).await;
        });
        let output = child.wait_with_output().await.unwrap().stdout;
        let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let mut response = Response::builder();
        for line in head.lines() {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("status") {
                response = response.status(value[..3].parse::<u16>().unwrap());
            } else {
                response = response.header(name, value);
            }
        }
        response.body(Full::new(Bytes::copy_from_slice(&output[end + 4..]))).unwrap()
    }
}

trait HeaderOf {
    fn header_of(self, name: &'static str, value: &str) -> Self;
}

impl HeaderOf for Response<Full<Bytes>> {
    fn header_of(mut self, name: &'static str, value: &str) -> Self {
        self.headers_mut().insert(name, value.parse().unwrap());
        self
    }
}

fn plain(status: u16, text: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::copy_from_slice(text.as_bytes()))).unwrap()
}
