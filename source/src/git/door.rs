//! The door through which libgit2 reaches a repository over HTTP.
//!
//! libgit2 speaks plain HTTP to a listener on loopback that lives as long as one fetch; the door
//! carries it to the host. So time-outs, redirects, addresses, certificates and credentials are decided here, by
//! one HTTP client whose connections are kept for the next fetch, and a fetch that nobody waits for ends
//! when its door is closed. libgit2 never sees a secret.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rand::distr::{Alphanumeric, SampleString};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use super::access::Address;
use super::client::{Client, MAX_REDIRECTS};
use crate::error::GitError;

const REFS: &str = "/info/refs";
const SERVICE: &str = "service=git-upload-pack";
const PACK: &str = "/git-upload-pack";

/// The longest request: the names of the commits that we have.
const MAX_REQUEST: usize = 16 << 20;

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Verdict = Arc<Mutex<Option<GitError>>>;

/// An open door to one repository. Dropping it closes every connection through it.
#[derive(Debug)]
pub(crate) struct Door {
    url: String,
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    address: Address,
    /// Nobody else on this machine may use the door.
    prefix: String,
    /// Where the host sent us on to, once it did.
    base: Mutex<Url>,
    verdict: Verdict,
}

impl Door {
    /// Opens a door to a repository.
    pub async fn open(client: &Client, address: &Address) -> Result<Self, GitError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let prefix = format!("/{}", Alphanumeric.sample_string(&mut rand::rng(), 24));
        let url = format!("http://{}{prefix}", listener.local_addr()?);
        let mut base = address.url.clone();
        base.set_path(address.url.path().trim_end_matches('/'));
        let inner = Arc::new(Inner {
            client: client.clone(),
            address: address.clone(),
            prefix,
            base: Mutex::new(base),
            verdict: Verdict::default(),
        });
        let task = tokio::spawn(serve(listener, inner.clone()));
        Ok(Self { url, inner, task })
    }

    /// What libgit2 is told to fetch from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Why the fetch failed, if the door knows.
    pub fn verdict(&self) -> Option<GitError> {
        self.inner.verdict.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let inner = inner.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let inner = inner.clone();
                async move { Ok::<_, Infallible>(inner.answer(request).await) }
            });
            // An error here is the other side hanging up.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.forward(request).await {
            Ok(response) => response,
            Err(error) => {
                record(&self.verdict, error);
                refusal(StatusCode::BAD_GATEWAY)
            }
        }
    }

    fn base(&self) -> Url {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, GitError> {
        let (head, body) = request.into_parts();
        let Some(rest) = head.uri.path().strip_prefix(self.prefix.as_str()) else {
            return Ok(refusal(StatusCode::NOT_FOUND));
        };
        let upstream = match (&head.method, rest, head.uri.query()) {
            (&Method::GET, REFS, Some(SERVICE)) => self.refs(&head.headers).await?,
            (&Method::POST, PACK, None) => {
                let url = joined(&self.base(), PACK);
                let mut request = self.request(reqwest::Method::POST, &url, &head.headers)?;
                for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                    if let Some(value) = head.headers.get(&name) {
                        request = request.header(name, value.clone());
                    }
                }
                // With its length: small servers do not take a request in chunks.
                let body = Limited::new(body, MAX_REQUEST).collect().await;
                request = request.body(body.map_err(|_| GitError::Cancelled)?.to_bytes());
                self.judged(self.client.send(request, &self.address.host).await?)?
            }
            _ => return Ok(refusal(StatusCode::NOT_FOUND)),
        };
        Ok(self.passed_on(upstream))
    }

    /// Asks for the refs, following the host where it sends us.
    async fn refs(&self, headers: &hyper::HeaderMap) -> Result<reqwest::Response, GitError> {
        let mut url = joined(&self.base(), REFS);
        url.set_query(Some(SERVICE));
        for _ in 0..=MAX_REDIRECTS {
            let request = self.request(reqwest::Method::GET, &url, headers)?;
            let response = self.client.send(request, &self.address.host).await?;
            if !response.status().is_redirection() {
                let response = self.judged(response)?;
                let expected = "application/x-git-upload-pack-advertisement";
                if response.headers().get(CONTENT_TYPE).is_none_or(|found| found != expected) {
                    return Err(GitError::NotRepository(self.address.shown()));
                }
                self.moved(&url);
                return Ok(response);
            }
            url = self.client.next(&response).ok_or_else(|| self.failed("it redirects to nowhere"))?;
        }
        Err(self.failed("it redirects in circles"))
    }

    /// Later requests go where the refs were found.
    fn moved(&self, found: &Url) {
        if let Some(path) = found.path().strip_suffix(REFS) {
            let mut base = found.clone();
            base.set_path(path);
            base.set_query(None);
            *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        }
    }

    fn request(
        &self,
        method: reqwest::Method,
        url: &Url,
        headers: &hyper::HeaderMap,
    ) -> Result<reqwest::RequestBuilder, GitError> {
        let mut request = self.client.request(method, url, &self.address.host)?;
        for name in [ACCEPT, USER_AGENT] {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value.clone());
            }
        }
        // A host that sends us elsewhere does not send our secret along.
        Ok(match self.address.basic_at(url) {
            Some(basic) => request.basic_auth(&basic.username, Some(basic.password.reveal())),
            None => request,
        })
    }

    fn judged(&self, response: reqwest::Response) -> Result<reqwest::Response, GitError> {
        let (url, host) = (self.address.shown(), self.address.host.clone());
        match response.status() {
            status if status.is_success() => Ok(response),
            reqwest::StatusCode::UNAUTHORIZED | reqwest::StatusCode::FORBIDDEN
                if self.address.basic_at(response.url()).is_some() =>
            {
                Err(GitError::CredentialsRefused { host })
            }
            reqwest::StatusCode::UNAUTHORIZED | reqwest::StatusCode::FORBIDDEN if self.address.keeps_basic() => {
                Err(GitError::CredentialsKept { host })
            }
            reqwest::StatusCode::UNAUTHORIZED
            | reqwest::StatusCode::FORBIDDEN
            | reqwest::StatusCode::NOT_FOUND
            | reqwest::StatusCode::GONE => Err(GitError::NotFound { url, host }),
            status => Err(self.failed(&format!("it answers {status}"))),
        }
    }

    fn failed(&self, reason: &str) -> GitError {
        GitError::Remote { host: self.address.host.clone(), reason: reason.to_owned() }
    }

    /// The host's answer as libgit2 gets it. An answer that breaks off is remembered with its reason.
    fn passed_on(&self, upstream: reqwest::Response) -> Response<Body> {
        let mut response = Response::builder().status(StatusCode::OK);
        if let Some(kind) = upstream.headers().get(CONTENT_TYPE) {
            response = response.header(CONTENT_TYPE, kind.clone());
        }
        let verdict = self.verdict.clone();
        let stream = self.client.body(upstream, &self.address.host).map(move |chunk| {
            chunk.map(Frame::data).map_err(|error| {
                record(&verdict, error);
                io::ErrorKind::BrokenPipe.into()
            })
        });
        response
            .body(BodyExt::boxed_unsync(StreamBody::new(stream)))
            .unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY))
    }
}

/// The first reason counts; what follows are its consequences.
fn record(verdict: &Verdict, error: GitError) {
    verdict.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(BodyExt::boxed_unsync(Empty::new().map_err(|never| match never {})));
    *response.status_mut() = status;
    response
}

fn joined(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
