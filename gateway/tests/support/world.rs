//! A gateway on a real socket, in front of programs on real sockets, with records that a test sets.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use steading_core::access::{Principal, Role, Scope};
use steading_core::config::Config;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::pod::PodSpec;
use steading_core::routes::{Route, Routes, RoutesError, Stale};
use steading_core::runtime::{
    BuildRequest, BuiltImage, ByteStream, Duplex, Exec, ImageInfo, Observed, Process, Runtime, RuntimeError,
    RuntimeEvent, RuntimeInfo, ToolMount,
};
use steading_core::{Desired, Owner, Phase, Secret, Slug, UserId, WorkspaceId};
use steading_gateway::Gateway;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The editor's port in every test.
pub const IDE: u16 = 39_378;

/// The records, as a test has them.
pub struct Records {
    pub routes: Mutex<HashMap<Slug, Route>>,
    pub entries: Mutex<HashMap<(String, String), Principal>>,
    pub tickets: Mutex<HashMap<(String, String), String>>,
    pub entered: Mutex<Vec<WorkspaceId>>,
    pub doubted: Mutex<Vec<WorkspaceId>>,
    pub silent: AtomicBool,
    pub asked: AtomicUsize,
    stale: broadcast::Sender<Stale>,
}

impl Records {
    async fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        while self.silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[async_trait]
impl Routes for Records {
    async fn find(&self, slug: &Slug) -> Result<Option<Route>, RoutesError> {
        self.ask().await;
        Ok(self.routes.lock().unwrap().get(slug).cloned())
    }

    async fn redeem(&self, ticket: &str, label: &str) -> Result<Option<Secret<String>>, RoutesError> {
        self.ask().await;
        Ok(self.tickets.lock().unwrap().remove(&(ticket.to_owned(), label.to_owned())).map(Secret::new))
    }

    async fn entry(&self, cookie: &str, label: &str) -> Result<Option<Principal>, RoutesError> {
        self.ask().await;
        Ok(self.entries.lock().unwrap().get(&(cookie.to_owned(), label.to_owned())).copied())
    }

    async fn entered(&self, id: WorkspaceId, _at: DateTime<Utc>) -> Result<(), RoutesError> {
        self.entered.lock().unwrap().push(id);
        Ok(())
    }

    async fn doubt(&self, id: WorkspaceId) {
        self.doubted.lock().unwrap().push(id);
    }

    fn stale(&self) -> BoxStream<'static, Stale> {
        let changes = self.stale.subscribe();
        futures::stream::unfold(changes, |mut changes| async { Some((changes.recv().await.ok()?, changes)) }).boxed()
    }
}

/// A runtime whose doors lead to sockets of the test.
#[derive(Default)]
pub struct Doors {
    pub open: Mutex<HashMap<u16, SocketAddr>>,
    pub gone: AtomicBool,
    pub dialled: AtomicUsize,
}

type Answer<T> = steading_core::runtime::Result<T>;
const NOT_HERE: RuntimeError = RuntimeError::Unsupported("do this in a test");

#[async_trait]
impl Runtime for Doors {
    async fn dial(&self, _id: WorkspaceId, port: u16) -> Answer<Box<dyn Duplex>> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        if self.gone.load(Ordering::Relaxed) {
            return Err(RuntimeError::Gone);
        }
        let Some(address) = self.open.lock().unwrap().get(&port).copied() else {
            return Err(RuntimeError::NoListener(port));
        };
        let stream = TcpStream::connect(address).await.map_err(|_| RuntimeError::NoListener(port))?;
        stream.set_nodelay(true).unwrap();
        Ok(Box::new(stream))
    }

    async fn info(&self) -> Answer<RuntimeInfo> {
        Err(NOT_HERE)
    }
    async fn tools(&self) -> Answer<Vec<ToolMount>> {
        Err(NOT_HERE)
    }
    async fn inspect(&self, _: &ImageRef) -> Answer<Option<ImageInfo>> {
        Err(NOT_HERE)
    }
    async fn pull(&self, _: &ImageRef, _: &dyn LogSink) -> Answer<ImageInfo> {
        Err(NOT_HERE)
    }
    async fn build(&self, _: &BuildRequest, _: ByteStream, _: &dyn LogSink) -> Answer<ImageInfo> {
        Err(NOT_HERE)
    }
    async fn built(&self) -> Answer<Vec<BuiltImage>> {
        Err(NOT_HERE)
    }
    async fn forget(&self, _: &ImageRef) -> Answer<bool> {
        Err(NOT_HERE)
    }
    async fn observe(&self, _: WorkspaceId) -> Answer<Observed> {
        Err(NOT_HERE)
    }
    async fn up(&self, _: &PodSpec) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn pause(&self, _: WorkspaceId) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn resume(&self, _: WorkspaceId) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn down(&self, _: WorkspaceId, _: Duration) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn remove(&self, _: WorkspaceId) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn list(&self) -> Answer<Vec<(WorkspaceId, Observed)>> {
        Err(NOT_HERE)
    }
    async fn upload(&self, _: WorkspaceId, _: &str, _: ByteStream) -> Answer<()> {
        Err(NOT_HERE)
    }
    async fn download(&self, _: WorkspaceId, _: &str) -> Answer<Option<ByteStream>> {
        Err(NOT_HERE)
    }
    async fn exec(&self, _: WorkspaceId, _: Exec) -> Answer<Process> {
        Err(NOT_HERE)
    }
    async fn output(&self, _: WorkspaceId, _: usize) -> Answer<String> {
        Err(NOT_HERE)
    }
    fn events(&self) -> BoxStream<'static, RuntimeEvent> {
        futures::stream::pending().boxed()
    }
}

/// A gateway and everything around it: workspaces `fox` (ours), `hare` (another's).
pub struct World {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub records: Arc<Records>,
    pub doors: Arc<Doors>,
    pub me: Principal,
    _stop: DropGuard,
}

impl World {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Config::default();
        config.server.listen = address;
        let records = Arc::new(Records {
            routes: Mutex::default(),
            entries: Mutex::default(),
            tickets: Mutex::default(),
            entered: Mutex::default(),
            doubted: Mutex::default(),
            silent: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            stale: broadcast::Sender::new(16),
        });
        let doors = Arc::new(Doors::default());
        let gateway = Gateway::new(Arc::new(config), records.clone(), doors.clone());
        let stop = CancellationToken::new();
        tokio::spawn(steading_gateway::serve(listener, gateway.clone(), Duration::ZERO, stop.clone()));
        let me = Principal { user: UserId::new(), role: Role::Member, scope: Scope::All };
        let world = Self { gateway, address, records, doors, me, _stop: stop.drop_guard() };
        world.workspace("fox", me.user);
        world.workspace("hare", UserId::new());
        for label in ["fox", "3000-fox", "hare", "nowhere"] {
            world.let_in("mine", label, me);
        }
        world
    }

    fn workspace(&self, slug: &str, owner: UserId) {
        let route = Route {
            workspace: WorkspaceId::new(),
            slug: slug.parse().unwrap(),
            owner: Owner::User(owner),
            phase: Phase::Running,
            desired: Desired::Running,
            ide_port: Some(IDE),
            folder: None,
            failure: None,
            visibility: BTreeMap::new(),
        };
        self.records.routes.lock().unwrap().insert(route.slug.clone(), route);
    }

    /// Makes a cookie valid on a host.
    pub fn let_in(&self, cookie: &str, label: &str, who: Principal) {
        self.records.entries.lock().unwrap().insert((cookie.to_owned(), label.to_owned()), who);
    }

    /// Changes `fox`, and tells the gateway.
    pub async fn change(&self, change: impl FnOnce(&mut Route)) {
        let id = {
            let mut routes = self.records.routes.lock().unwrap();
            let route = routes.get_mut(&"fox".parse::<Slug>().unwrap()).unwrap();
            change(route);
            route.workspace
        };
        self.tell(Stale::Workspace(id)).await;
    }

    pub async fn tell(&self, stale: Stale) {
        self.records.stale.send(stale).unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }

    /// Lets a port of every workspace lead to an address.
    pub fn open(&self, port: u16, address: SocketAddr) {
        self.doors.open.lock().unwrap().insert(port, address);
    }

    pub fn dialled(&self) -> usize {
        self.doors.dialled.load(Ordering::Relaxed)
    }

    /// A `Host` header for a label.
    pub fn host(&self, label: &str) -> String {
        format!("{label}.localhost:{}", self.address.port())
    }

    /// A request to `fox` with our cookie.
    pub fn ours(&self, path: &str) -> http::request::Builder {
        Request::builder().uri(path).header("host", self.host("fox")).header("cookie", "steading_entry=mine")
    }

    /// A request without any cookie.
    pub fn strange(&self, label: &str, path: &str) -> http::request::Builder {
        Request::builder().uri(path).header("host", self.host(label))
    }

    /// Sends over a connection of its own.
    pub async fn send(&self, request: Request<impl Into<Bytes>>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request.map(|body| Full::new(body.into()))).await.unwrap()
    }

    /// Sends bytes as they are, and reads until the gateway closes.
    pub async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// The whole body as text.
pub async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The whole body as JSON.
pub async fn json(response: Response<Incoming>) -> serde_json::Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// A poem server on a free port.
pub async fn program(endpoint: impl poem::Endpoint + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = poem::listener::TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(endpoint));
    address
}

/// A program that gets each connection, and its number from 0 on, as raw bytes.
pub async fn raw_program<F>(talk: impl Fn(usize, TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(number, stream));
        }
    });
    address
}

/// Reads the head of a message: everything up to the empty line.
pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

pub const HTML: &str = "text/html,application/xhtml+xml";
