//! Docker Engine, 20.10 and newer.

mod build;
mod built;
mod carrier;
mod container;
mod credential;
mod dial;
mod engine;
mod events;
mod exec;
mod files;
mod firewall;
mod hijack;
mod image;
mod lifecycle;
mod network;
mod observe;
mod place;
mod quarantine;
mod relay;
mod relocate;
mod tools;
mod uninstall;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use steading_core::WorkspaceId;
use steading_core::config::Config;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::pod::PodSpec;
use steading_core::runtime::{
    BuildRequest, BuiltImage, ByteStream, Duplex, Exec, ImageInfo, Observed, Process, Result, Runtime, RuntimeEvent,
    RuntimeInfo, ToolMount,
};

use self::engine::Engine;
use self::firewall::Firewall;
use self::image::Images;
use self::network::Network;
use self::place::Places;
use self::tools::Tools;
use crate::labels::Names;

/// Workspaces of one installation on one Docker Engine. Clones share everything.
#[derive(Clone)]
pub struct Docker {
    shared: Arc<Shared>,
}

/// What all clones share.
pub struct Shared {
    engine: Engine,
    names: Names,
    images: Images,
    network: Network,
    firewall: Firewall,
    places: Places,
    tools: Tools,
    isolate: bool,
    /// How long a container that is replaced may take to end.
    grace: Duration,
}

impl Deref for Docker {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Docker {
    /// The engine that the configuration names. Nothing is asked of it before the first call.
    ///
    /// # Errors
    /// If the address of the engine cannot be read.
    pub fn new(config: &Config, installation: &str) -> Result<Self> {
        let shared = Shared {
            engine: Engine::new(&config.runtime.docker_host)?,
            names: Names::new(installation),
            images: Images::new(&config.mirrors),
            network: Network::default(),
            firewall: Firewall::default(),
            places: Places::default(),
            tools: Tools::new(config),
            isolate: config.runtime.isolate_host,
            grace: Duration::from_secs(config.workspace.stop_seconds.into()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

#[async_trait]
impl Runtime for Docker {
    async fn info(&self) -> Result<RuntimeInfo> {
        self.engine.ask().await
    }

    async fn tools(&self) -> Result<Vec<ToolMount>> {
        self.shared.tools.mounts(self).await
    }

    async fn inspect(&self, image: &ImageRef) -> Result<Option<ImageInfo>> {
        self.image(image).await
    }

    async fn pull(&self, image: &ImageRef, log: &dyn LogSink) -> Result<ImageInfo> {
        self.fetch(image, log).await
    }

    async fn build(&self, request: &BuildRequest, context: ByteStream, log: &dyn LogSink) -> Result<ImageInfo> {
        self.make(request, context, log).await
    }

    async fn built(&self) -> Result<Vec<BuiltImage>> {
        self.own_images().await
    }

    async fn forget(&self, image: &ImageRef) -> Result<bool> {
        self.drop_image(image).await
    }

    async fn observe(&self, id: WorkspaceId) -> Result<Observed> {
        self.look(id).await
    }

    async fn up(&self, spec: &PodSpec) -> Result<()> {
        self.bring(spec).await
    }

    async fn pause(&self, id: WorkspaceId) -> Result<()> {
        self.freeze(id, true).await
    }

    async fn resume(&self, id: WorkspaceId) -> Result<()> {
        self.freeze(id, false).await
    }

    async fn down(&self, id: WorkspaceId, grace: Duration) -> Result<()> {
        self.halt_all(id, grace).await
    }

    async fn remove(&self, id: WorkspaceId) -> Result<()> {
        self.remove_all(id).await
    }

    async fn list(&self) -> Result<Vec<(WorkspaceId, Observed)>> {
        self.look_everywhere().await
    }

    async fn upload(&self, id: WorkspaceId, folder: &str, tar: ByteStream) -> Result<()> {
        self.put(id, folder, tar).await
    }

    async fn download(&self, id: WorkspaceId, path: &str) -> Result<Option<ByteStream>> {
        self.get(id, path).await
    }

    async fn exec(&self, id: WorkspaceId, exec: Exec) -> Result<Process> {
        self.run(id, exec).await
    }

    async fn output(&self, id: WorkspaceId, lines: usize) -> Result<String> {
        self.last_output(id, lines).await
    }

    async fn dial(&self, id: WorkspaceId, port: u16) -> Result<Box<dyn Duplex>> {
        self.connect(id, port).await
    }

    fn events(&self) -> BoxStream<'static, RuntimeEvent> {
        events::watch(self.clone())
    }
}
