//! A whole server on the runtime in memory, as a process: API, gateway and worker over SQLite, put
//! together as `steading serve` does. Ports of its workspaces lead to the same ports of this machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use steading_api::{App, Roles};
use steading_core::config::Config;
use steading_core::runtime::{Duplex, Runtime};
use steading_core::{Secret, WorkspaceId};
use steading_gateway::Gateway;
use steading_runtime::fake::Fake;
use steading_store::Store;
use steading_tests::{Api, Workspace};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Opens everything to the bench.
const TOKEN: &str = "the-bench-itself";

/// Runs such a server until its standard input ends; prints its address.
pub async fn serve(folder: PathBuf) -> Result<()> {
    let _ = nix::sys::prctl::set_thp_disable(true);
    let mut config = Config::default();
    config.server.data_dir = folder;
    config.server.listen.set_port(0);
    config.auth.admin_token = Secret::new(TOKEN.to_owned());
    let listening = steading_api::listen(config.server.listen).await?;
    config.server.listen.set_port(listening.address.port());
    let ide = config.ide.port;
    let config = Arc::new(config);
    let store = Store::open(&config).await?;
    let fake = Fake::new();
    fake.on_dial(move |_: WorkspaceId, port| if port == ide { None } else { dial(port) });
    let runtime: Arc<dyn Runtime> = Arc::new(fake);
    let shutdown = CancellationToken::new();
    let worker = steading_worker::Worker::new(config.clone(), store.clone(), runtime.clone())?;
    let stop = shutdown.clone();
    let working = tokio::spawn(async move { worker.run(stop).await });
    let gateway = Gateway::new(config.clone(), store.routes(), runtime.clone());
    let roles = Roles { control: Some(App::new(config.clone(), store, runtime)), gateway: Some(Arc::new(gateway)) };
    println!("{}", listening.address);
    let ended = shutdown.clone();
    tokio::spawn(async move {
        let _ = BufReader::new(tokio::io::stdin()).lines().next_line().await;
        ended.cancel();
    });
    steading_api::serve(listening, &config.server.domain, roles, shutdown).await?;
    working.await.context("the worker panicked")
}

/// Loopback answers at once, so this holds nobody up.
fn dial(port: u16) -> Option<Box<dyn Duplex>> {
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_nonblocking(true).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(Box::new(tokio::net::TcpStream::from_std(stream).ok()?))
}

/// Such a server as a child; it ends with its last owner.
#[derive(Debug)]
pub struct World {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub address: String,
    folder: TempDir,
}

impl World {
    /// Starts one on a folder of its own.
    pub async fn start() -> Result<Self> {
        let folder = crate::stage::folder()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("world").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let Some(address) = BufReader::new(stdout).lines().next_line().await? else {
            bail!("the server on the runtime in memory does not start");
        };
        Ok(Self { child, address: format!("http://{address}"), folder })
    }

    /// Its data folder, which has room for repositories, too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its API.
    pub fn api(&self) -> Api {
        Api::new(&self.address, Some(TOKEN))
    }

    /// A browser that is signed in.
    pub async fn browser(&self) -> Result<crate::browser::Browser> {
        crate::browser::Browser::sign_in(&crate::browser::client()?, &self.address, TOKEN).await
    }

    /// A workspace that runs.
    pub async fn workspace(&self) -> Result<Workspace> {
        let repository = crate::stage::repository(self.folder(), "project", None)?;
        let made = self.api().create(&format!("file://{}", repository.display())).await?;
        self.api().until(made.slug(), &["running"]).await
    }

    /// Resident memory in MB, as the kernel counts it.
    pub fn memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().context("it has ended")?))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}
