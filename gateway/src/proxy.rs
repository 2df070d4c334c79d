//! The reverse proxy: from a host name to a container and back.
//!
//! [`Proxy::call`] reads as the journey goes: which host, who asks, in which state is the workspace, over
//! which connection.

mod admit;
mod body;
mod cookie;
mod enter;
mod forward;
mod headers;
mod line;
mod notice;
mod origin;
mod page;
mod pool;
mod stay;
mod tunnel;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use http::header::{CACHE_CONTROL, CONNECTION, HOST, HeaderValue, UPGRADE};
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use poem::http::uri::PathAndQuery;
use poem::{Addr, Request, Response};
use steading_core::config::Config;
use steading_core::route::Host;
use steading_core::routes::Routes;
use steading_core::runtime::{Runtime, RuntimeError};
use tokio::time::timeout;

use self::admit::{Admitted, Verdict};
use self::body::Outgoing;
use self::forward::{Body, Head, Target, Trouble};
pub use self::notice::Notice;
use self::notice::State;
use self::pool::Pool;
use self::stay::Stay;
use crate::directory::Directory;
use crate::pulse::Pulse;
use crate::request_id::RequestId;

/// How long to go on trying while an editor that should be there does not listen yet.
const EDITOR_PATIENCE: Duration = Duration::from_secs(2);

/// How long both sides of an agreed upgrade may take to stand.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that one gateway shares between requests.
pub struct Proxy {
    domain: String,
    proto: HeaderValue,
    secure: bool,
    /// Base URL of the control plane, without a slash at its end.
    control: String,
    directory: Arc<Directory>,
    runtime: Arc<dyn Runtime>,
    pool: Arc<Pool>,
    pulse: Arc<Pulse>,
}

/// What is known of a request before anything is looked up.
struct Asked {
    host: Host,
    label: String,
    authority: String,
}

/// Whether somebody looks at a page: then they get one, also where there is no answer.
#[must_use]
pub fn is_page_wanted(request: &Request) -> bool {
    page::is_wanted(request.method(), request.headers())
}

/// The name that a request asks for; `None` if there is none, or several.
pub fn authority(request: &Request) -> Option<&str> {
    // The target's own authority wins over the header (RFC 9112, section 3.2.2).
    if let Some(authority) = request.original_uri().authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

impl Proxy {
    pub fn new(config: &Config, routes: Arc<dyn Routes>, runtime: Arc<dyn Runtime>) -> Self {
        let pool = Pool::new();
        let directory = Directory::new(routes, {
            let pool = Arc::clone(&pool);
            move |id| pool.forget(id)
        });
        let secure = config.server.scheme == "https";
        Self {
            domain: config.server.domain.to_ascii_lowercase(),
            proto: HeaderValue::from_static(if secure { "https" } else { "http" }),
            secure,
            control: config.public_url().to_string(),
            directory,
            runtime,
            pool,
            pulse: Arc::default(),
        }
    }

    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    pub fn host(&self, header: &str) -> Host {
        Host::parse(header, &self.domain)
    }

    /// The whole journey of one request.
    pub async fn call(&self, mut request: Request) -> Response {
        let (as_page, id) = (is_page_wanted(&request), request.extensions().get::<RequestId>().copied());
        let Some(asked) = self.read(&request) else {
            return Notice::hidden().show(as_page, id);
        };
        match self.answer(&asked, as_page, &mut request).await {
            Ok(response) => response,
            Err(notice) => notice.show(as_page, id),
        }
    }

    fn read(&self, request: &Request) -> Option<Asked> {
        let authority = authority(request)?.to_owned();
        let host = self.host(&authority);
        Some(Asked { label: host.label()?, host, authority })
    }

    async fn answer(&self, asked: &Asked, as_page: bool, request: &mut Request) -> Result<Response, Box<Notice>> {
        if request.method() == Method::CONNECT {
            return Err(Notice::bad("CONNECT is not served here.").into());
        }
        let target = request.original_uri().path_and_query().cloned();
        let target = target.unwrap_or(PathAndQuery::from_static("/"));
        if target.path() == "/.steading/enter" {
            return self.enter(asked, request, target.query().unwrap_or_default()).await;
        }
        let verdict = admit::admit(&self.directory, &asked.host, &asked.label, request.headers()).await;
        let admitted = match verdict.map_err(|_| Notice::database())? {
            Verdict::Admit(admitted) => admitted,
            Verdict::SignIn if as_page => {
                return Ok(enter::redirect(&enter::ask(&self.control, &asked.label, target.as_str())));
            }
            Verdict::SignIn => return Err(Notice::sign_in().into()),
            Verdict::Hide => return Err(Notice::hidden().into()),
        };
        let upgrade = headers::wanted_upgrade(request.headers()).cloned();
        self.refuse_foreign(asked, request, &admitted, upgrade.is_some())?;
        if target.path().starts_with(enter::OURS) {
            return state(&target, &admitted);
        }
        let start = || enter::start(&self.control, &admitted.route.slug, &asked.label, target.as_str());
        if let Some(notice) = Notice::of_state(&admitted.route, admitted.is_inside, &self.control, start) {
            return Err(notice.into());
        }
        self.forward(asked, request, target, admitted, upgrade).await
    }

    /// Somebody comes back from the control plane with a ticket.
    async fn enter(&self, asked: &Asked, request: &Request, query: &str) -> Result<Response, Box<Notice>> {
        if !matches!(*request.method(), Method::GET) {
            return Err(Notice::hidden().into());
        }
        let again = |path| enter::ask(&self.control, &asked.label, path);
        let Some((ticket, path)) = enter::read(query) else {
            return Err(Notice::ticket(again("/")).into());
        };
        let cookie = self.directory.redeem(&ticket, &asked.label).await.map_err(|_| Notice::database())?;
        let Some(cookie) = cookie else {
            return Err(Notice::ticket(again(&path)).into());
        };
        self.directory.entered(&asked.host);
        Ok(enter::admit(cookie.reveal(), &path, self.secure))
    }

    fn refuse_foreign(
        &self,
        asked: &Asked,
        request: &Request,
        admitted: &Admitted,
        upgrade: bool,
    ) -> Result<(), Box<Notice>> {
        let headers = request.headers();
        // Without a cookie of ours they were let in as anybody is, to what is public: nobody's rights are used.
        if cookie::entries(headers).next().is_none() {
            return Ok(());
        }
        let slug = &admitted.route.slug;
        let is_foreign = upgrade && origin::is_foreign(headers, &asked.authority);
        if is_foreign || !origin::may_act(request.method(), headers, &asked.authority, slug, &self.domain) {
            return Err(Notice::foreign().into());
        }
        Ok(())
    }

    async fn forward(
        &self,
        asked: &Asked,
        request: &mut Request,
        target: PathAndQuery,
        admitted: Admitted,
        upgrade: Option<HeaderValue>,
    ) -> Result<Response, Box<Notice>> {
        let route = &admitted.route;
        let (door, port) = match (&asked.host, route.ide_port) {
            (Host::Port(_, port), _) => (*port, Some(*port)),
            (_, Some(ide)) => (ide, None),
            _ => return Err(Notice::starting(route, "The editor is about to answer.", &self.control).into()),
        };
        let client = match &request.remote_addr().0 {
            Addr::SocketAddr(address) => Some(address.ip()),
            _ => None,
        };
        let beat = self.pulse.of(route.workspace);
        let taken = upgrade.as_ref().and_then(|protocol| Some((protocol.clone(), request.take_upgrade().ok()?)));
        let has_authority = request.original_uri().authority().is_some();
        let (mut parts, body) = std::mem::take(request).into_parts();
        beat.count(target.as_str().len() + 32 * parts.headers.len());
        // A target with an authority of its own makes the header void (RFC 9112, section 3.2.2).
        if has_authority && let Ok(host) = HeaderValue::from_str(&asked.authority) {
            parts.headers.insert(HOST, host);
        }
        let stay = taken.is_some().then(|| Stay::new(&self.directory, &asked.host, &asked.label, &parts.headers));
        headers::for_container(&mut parts.headers, taken.as_ref().map(|(protocol, _)| protocol), client, &self.proto);
        let head = Head { method: parts.method, uri: Uri::from(target), headers: parts.headers };
        let body = Body::new(body, &beat);
        let way = Target {
            pool: &self.pool,
            runtime: &*self.runtime,
            door: (route.workspace, door),
            patience: if port.is_none() { EDITOR_PATIENCE } else { Duration::ZERO },
        };
        let failed = |trouble: Trouble| {
            // The editor is always there, so one that does not answer is for a worker to see to; what listens
            // on other ports is people's own affair.
            let is_amiss = match trouble {
                Trouble::Dial(RuntimeError::Gone) => true,
                Trouble::Dial(RuntimeError::NoListener(_)) | Trouble::Broken(_) => port.is_none(),
                _ => false,
            };
            if is_amiss {
                self.directory.doubt(route.workspace);
            }
            tracing::debug!(workspace.id = %route.workspace, port = door, error = %trouble, "a workspace gave no answer");
            Notice::of_trouble(&trouble, route, port, &self.control)
        };
        let (Some((_, browser)), Some(stay)) = (taken, stay) else {
            let mut answer = way.exchange(head, body).await.map_err(&failed)?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(failed(Trouble::Unasked).into());
            }
            headers::for_browser(answer.headers_mut());
            return Ok(answer.into());
        };

        let stream = way.dial().await.map_err(failed)?;
        let sent = line::send_upgrade(stream, head.with(body.outgoing)).await;
        let (mut answer, container) = sent.map_err(|e| failed(Trouble::Broken(e)))?;
        let agreed = answer.headers().get(UPGRADE).cloned();
        headers::for_browser(answer.headers_mut());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer.map(|body| body.map_err(io::Error::other)).into());
        }
        tokio::spawn(async move {
            let both = async { tokio::try_join!(browser.map_err(drop), container.map_err(drop)) };
            if let Ok(Ok((browser, container))) = timeout(UPGRADE_PATIENCE, both).await {
                tunnel::carry(browser, TokioIo::new(container), beat, stay).await;
            }
        });
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.extend(agreed.map(|protocol| (UPGRADE, protocol)));
        Ok(answer.map(|_| Outgoing::Empty).into())
    }
}

/// What a waiting page asks: `{"state": "starting", "phase": "building", "message": "…"}`.
fn state(target: &PathAndQuery, admitted: &Admitted) -> Result<Response, Box<Notice>> {
    let route = &admitted.route;
    if target.path() != "/.steading/state" || !admitted.is_inside {
        return Err(Notice::hidden().into());
    }
    let state = serde_json::json!({
        "state": State::of(route).as_str(),
        "phase": route.phase.as_str(),
        "message": notice::progress(route.phase),
    });
    let response = Response::builder().content_type("application/json").header(CACHE_CONTROL, "no-store");
    Ok(response.body(state.to_string()))
}
