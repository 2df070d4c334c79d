//! A runtime in memory, with real byte streams and scripted faults, for tests that must be fast.
//!
//! It keeps the promises of [`crate::conformance`] and adds what a test wants to do to a runtime behind
//! its user's back: kill a container, lose a volume, prune an image, fail the next call, or stop the
//! world at any await point ([`Fake::on_point`]).

mod archive;
mod command;
mod pod;
mod runtime;
mod stream;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use steading_core::WorkspaceId;
use steading_core::image::ImageRef;
use steading_core::pod::VolumeRole;
use steading_core::runtime::{
    ContainerState, Duplex, Exec, ImageInfo, Process, Result, RuntimeError, RuntimeEvent, VolumeId,
};
use tokio::sync::broadcast;

pub use command::Answer;

use self::pod::Pod;

/// A call of the runtime, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is a method of the trait")]
pub enum Op {
    Info,
    Tools,
    Inspect,
    Pull,
    Build,
    Built,
    Forget,
    Observe,
    Up,
    Pause,
    Resume,
    Down,
    Remove,
    List,
    Upload,
    Download,
    Exec,
    Output,
    Dial,
}

/// A place where a real runtime would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// In which call.
    pub op: Op,
    /// Before which effect; `done` is after the last one.
    pub before: &'static str,
}

type ExecHook = dyn Fn(WorkspaceId, &Exec) -> Option<Answer> + Send + Sync;
type StreamHook = dyn Fn(WorkspaceId, &Exec) -> Option<Process> + Send + Sync;
type DialHook = dyn Fn(WorkspaceId, u16) -> Option<Box<dyn Duplex>> + Send + Sync;
type PointHook = dyn Fn(Point) -> BoxFuture<'static, ()> + Send + Sync;

/// The runtime in memory. Clones share everything.
#[derive(Clone)]
pub struct Fake {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    hooks: Mutex<Hooks>,
    events: broadcast::Sender<RuntimeEvent>,
}

#[derive(Default)]
struct World {
    pods: BTreeMap<WorkspaceId, Pod>,
    images: HashMap<String, ImageInfo>,
    /// Names that builds gave.
    built: BTreeSet<String>,
    faults: HashMap<Op, VecDeque<RuntimeError>>,
    calls: HashMap<Op, u64>,
    last: Option<DateTime<Utc>>,
    count: u64,
}

#[derive(Default)]
struct Hooks {
    exec: Option<Arc<ExecHook>>,
    process: Option<Arc<StreamHook>>,
    dial: Option<Arc<DialHook>>,
    point: Option<Arc<PointHook>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A runtime with nothing on it. Every image can be pulled, except from hosts that end in `.invalid`.
    #[must_use]
    pub fn new() -> Self {
        let (events, _) = broadcast::channel(1024);
        Self { shared: Arc::new(Shared { world: Mutex::default(), hooks: Mutex::default(), events }) }
    }

    /// Puts an image there, as if it had been pulled.
    pub fn add_image(&self, name: &str, info: ImageInfo) {
        let mut world = self.world();
        world.images.insert(info.id.clone(), info.clone());
        world.images.insert(name.to_owned(), info);
    }

    /// Takes all images away.
    pub fn forget_images(&self) {
        self.world().images.clear();
    }

    /// Takes an image away under all its names.
    pub fn prune_image(&self, image: &ImageRef) {
        let mut world = self.world();
        if let Some(info) = world.images.get(image.as_str()).cloned() {
            world.images.retain(|_, other| other.id != info.id);
        }
    }

    /// Makes the next call of this kind fail; several calls of this fail as many.
    pub fn fail_next(&self, op: Op, error: RuntimeError) {
        self.world().faults.entry(op).or_default().push_back(error);
    }

    /// How often a call was made, failures included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.world().calls.get(&op).copied().unwrap_or(0)
    }

    /// Answers commands in the test's own way; where the hook says `None`, the built-in commands do.
    pub fn on_exec(&self, hook: impl Fn(WorkspaceId, &Exec) -> Option<Answer> + Send + Sync + 'static) {
        self.hooks().exec = Some(Arc::new(hook));
    }

    /// As [`Fake::on_exec`], for commands that live on and stream. It is asked first.
    pub fn on_process(&self, hook: impl Fn(WorkspaceId, &Exec) -> Option<Process> + Send + Sync + 'static) {
        self.hooks().process = Some(Arc::new(hook));
    }

    /// Serves ports in the test's own way; where the hook says `None`, service ports answer HTTP 200.
    pub fn on_dial(&self, hook: impl Fn(WorkspaceId, u16) -> Option<Box<dyn Duplex>> + Send + Sync + 'static) {
        self.hooks().dial = Some(Arc::new(hook));
    }

    /// Is called wherever a real runtime would wait; what it returns is awaited there. A test that
    /// wants to crash at a point lets the returned future never end, and drops the caller.
    pub fn on_point(&self, hook: impl Fn(Point) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.hooks().point = Some(Arc::new(hook));
    }

    /// Takes all hooks away.
    pub fn unhook(&self) {
        *self.hooks() = Hooks::default();
    }

    /// Kills the main container, as the kernel does.
    pub fn kill(&self, id: WorkspaceId) {
        self.end(id, 137, false);
    }

    /// Ends the main container's first process with an exit code, for want of memory or not.
    pub fn end(&self, id: WorkspaceId, exit: i64, oom: bool) {
        let now = self.now();
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.stop(now, exit, oom);
        }
        self.changed(id);
    }

    /// Removes the containers and keeps the volumes, as `docker rm` does.
    pub fn lose_container(&self, id: WorkspaceId) {
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.containers.clear();
        }
        self.changed(id);
    }

    /// Removes a volume with all that is on it.
    pub fn lose_volume(&self, id: WorkspaceId, role: VolumeRole) {
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.volumes.remove(&role);
        }
    }

    /// Opens or closes a port inside a workspace, service or not, until its container starts anew.
    pub fn listen(&self, id: WorkspaceId, port: u16, open: bool) {
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.ports.insert(port, open);
        }
    }

    /// Puts a file into the main container, or onto the volume that is mounted there.
    pub fn put_file(&self, id: WorkspaceId, path: &str, content: &str) {
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.put(path, archive::Entry::file(content.as_bytes().to_vec()));
        }
    }

    /// Puts a symbolic link into the main container or its volumes.
    pub fn put_link(&self, id: WorkspaceId, path: &str, target: &str) {
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.put(path, archive::Entry::link(target));
        }
    }

    /// Reads a file of the main container.
    #[must_use]
    pub fn file(&self, id: WorkspaceId, path: &str) -> Option<String> {
        let world = self.world();
        let entry = world.pods.get(&id)?.get(path)?;
        Some(String::from_utf8_lossy(entry.content()?).into_owned())
    }

    /// The workspaces that have anything here.
    #[must_use]
    pub fn workspaces(&self) -> Vec<WorkspaceId> {
        self.world().pods.iter().filter(|(_, pod)| !pod.is_empty()).map(|(id, _)| *id).collect()
    }

    /// Tells everybody who watches events that some were lost.
    pub fn lose_events(&self) {
        let _ = self.shared.events.send(RuntimeEvent::Lost);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.shared.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, id: WorkspaceId) {
        let _ = self.shared.events.send(RuntimeEvent::Changed(id));
    }

    /// The time, later than every earlier answer, so that two starts never look alike.
    fn now(&self) -> DateTime<Utc> {
        let mut world = self.world();
        let now = world.last.map_or_else(Utc::now, |last| Utc::now().max(last + TimeDelta::microseconds(1)));
        world.last = Some(now);
        now
    }

    /// Counts the call, fails it if that was scripted, and passes its first point.
    async fn enter(&self, op: Op) -> Result<()> {
        let fault = {
            let mut world = self.world();
            *world.calls.entry(op).or_default() += 1;
            world.faults.get_mut(&op).and_then(VecDeque::pop_front)
        };
        self.point(op, "begin").await;
        fault.map_or(Ok(()), Err)
    }

    async fn point(&self, op: Op, before: &'static str) {
        let hook = self.hooks().point.clone();
        match hook {
            Some(hook) => hook(Point { op, before }).await,
            // A real call lets others run; so does this one.
            None => tokio::task::yield_now().await,
        }
    }

    fn running<T>(&self, id: WorkspaceId, read: impl FnOnce(&mut Pod) -> T) -> Result<T> {
        let mut world = self.world();
        match world.pods.get_mut(&id) {
            Some(pod) if pod.main() == Some(&ContainerState::Up) => Ok(read(pod)),
            _ => Err(RuntimeError::Gone),
        }
    }

    fn present<T>(&self, id: WorkspaceId, read: impl FnOnce(&mut Pod) -> T) -> Result<T> {
        let mut world = self.world();
        match world.pods.get_mut(&id) {
            Some(pod) if pod.main().is_some() => Ok(read(pod)),
            _ => Err(RuntimeError::Gone),
        }
    }
}

impl World {
    fn fresh(&mut self) -> VolumeId {
        self.count += 1;
        VolumeId(format!("volume-{}", self.count))
    }
}
