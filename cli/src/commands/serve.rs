//! The server's roles: `steading serve`, `api`, `gateway` and `worker`.

use std::fs::{DirBuilder, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use steading_api::{App, Listening, Roles};
use steading_core::Fault as _;
use steading_core::access::Scope;
use steading_core::config::Config;
use steading_gateway::Gateway;
use steading_runtime::bundle;
use steading_store::Store;
use steading_worker::Worker;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::ServerArgs;
use crate::error::{CliError, Kind};
use crate::output::say;
use crate::settings::{self, Local};

/// What is logged unless RUST_LOG says otherwise.
const LOG: &str = "warn,steading=info,steading_api=info,steading_worker=info,steading_gateway=info,\
                   steading_runtime=info,steading_store=info,steading_source=info";

/// Which parts a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    control: bool,
    gateway: bool,
    worker: bool,
}

impl Role {
    /// Everything in one process.
    pub const ALL: Self = Self { control: true, gateway: true, worker: true };
    /// API and page.
    pub const API: Self = Self { control: true, gateway: false, worker: false };
    /// The way into workspaces.
    pub const GATEWAY: Self = Self { control: false, gateway: true, worker: false };
    /// What changes the world.
    pub const WORKER: Self = Self { control: false, gateway: false, worker: true };

    const fn listens(self) -> bool {
        self.control || self.gateway
    }
}

/// Runs the roles until SIGTERM or Ctrl-C. Workspaces go on running afterwards.
pub async fn run(args: ServerArgs, role: Role) -> Result<(), CliError> {
    start_log(args.log_json);
    spare_memory();
    let mut config = settings::load(&args)?.config;
    prepare_data_dir(&mut config)?;
    // One process with all roles owns its data folder; roles apart share it.
    let _lock = if role == Role::ALL { Some(lock(&config.server.data_dir)?) } else { None };
    let listening = if role.listens() { Some(listen(&mut config).await?) } else { None };
    if role.worker && config.runtime.kind == "docker" {
        check_tools(&config);
    }
    let config = Arc::new(config);

    let store = Store::open(&config).await.map_err(|e| CliError::fault(Kind::Server, &e))?;
    let runtime = steading_runtime::connect(&config, store.installation());
    let runtime = runtime.map_err(|e| CliError::fault(Kind::Server, &e))?;
    let shutdown = CancellationToken::new();
    stop_on_signals(shutdown.clone())?;

    let worker = match role.worker {
        true => {
            let worker = Worker::new(config.clone(), store.clone(), runtime.clone()).map_err(CliError::internal)?;
            let stop = shutdown.clone();
            Some(tokio::spawn(async move { worker.run(stop).await }))
        }
        false => None,
    };
    if let Some(listening) = listening {
        let control = role.control.then(|| App::new(config.clone(), store.clone(), runtime.clone()));
        let gateway = role.gateway.then(|| Arc::new(Gateway::new(config.clone(), store.routes(), runtime)));
        if let Some(app) = &control {
            // What the configured token opened ends with it: this is the process that answers for it.
            store.sessions().end_replaced().await.map_err(|e| CliError::fault(Kind::Server, &e))?;
            leave_local_file(&store, app, &config, listening.address).await?;
            announce(app).await?;
        }
        let served =
            steading_api::serve(listening, &config.server.domain, Roles { control, gateway }, shutdown.clone());
        served.await.map_err(CliError::internal)?;
    } else {
        shutdown.cancelled().await;
    }
    shutdown.cancel();
    if let Some(worker) = worker {
        worker.await.map_err(CliError::internal)?;
    }
    Ok(())
}

/// Prints a new one-time sign-in link for the server whose data folder this is.
pub async fn sign_in(args: ServerArgs) -> Result<(), CliError> {
    let mut config = settings::load(&args)?.config;
    let local = Local::here(&config.server.data_dir)?;
    // The running server knows its port better than the settings do.
    if let Some(port) = url::Url::parse(&local.server).ok().and_then(|url| url.port_or_known_default()) {
        config.server.listen.set_port(port);
    }
    let store = Store::open(&config).await.map_err(|e| CliError::fault(Kind::Server, &e))?;
    let link = store.links().mint().await.map_err(|e| CliError::fault(Kind::Server, &e))?;
    say!("{}/sign-in?link={}", config.public_url(), link.reveal())
}

/// Small things are all over a server's memory, so that pages of two megabytes are mostly empty: a third of
/// what it would take. Kernels that do not know such pages need not be told.
fn spare_memory() {
    let _ = nix::sys::prctl::set_thp_disable(true);
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would be told on standard error, and whoever cannot write there does not live on: a full disk takes
    // lines of the log, not the server.
    let builder = builder.log_internal_errors(false);
    // A second initialisation can only happen in tests; the first one stays.
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}

/// Makes the data folder where it is not there yet, for our user alone: it will hold clones of private
/// repositories. A folder that somebody made keeps the rights that they gave it.
fn prepare_data_dir(config: &mut Config) -> Result<(), CliError> {
    let dir = &config.server.data_dir;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir).and_then(|()| dir.canonicalize());
    config.server.data_dir = made.map_err(|error| unusable(dir, &error))?;
    Ok(())
}

/// Says at the start what every workspace would fail for. An engine of another architecture needs other
/// tools than these, so it is no reason not to start.
fn check_tools(config: &Config) {
    let found = bundle::ide(config, bundle::own_arch()).and_then(|_| bundle::inside(config));
    if let Err(missing) = found {
        tracing::warn!(hint = missing.hint(), "{missing}");
    }
}

fn unusable(dir: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Kind::User, "data-dir-unusable", format!("{} cannot be used: {error}", dir.display()))
        .hint("Give a folder that may be written with --data-dir.".to_owned())
}

fn lock(dir: &Path) -> Result<File, CliError> {
    let path = dir.join("serve.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unusable(dir, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(CliError::new(
            Kind::User,
            "data-dir-in-use",
            format!("another `steading serve` uses {}", dir.display()),
        )
        .hint("Stop it, or give this one a folder of its own with --data-dir.".to_owned())),
    }
}

async fn listen(config: &mut Config) -> Result<Listening, CliError> {
    let listening = steading_api::listen(config.server.listen).await.map_err(|error| {
        let message = format!("{} cannot be listened on: {error}", config.server.listen);
        CliError::new(Kind::User, "address-unusable", message)
            .hint("Choose another address or port with --listen.".to_owned())
    })?;
    config.server.listen.set_port(listening.address.port());
    Ok(listening)
}

fn refused(error: steading_api::problem::ApiError) -> CliError {
    CliError::new(Kind::Server, "start-failed", error.message().to_owned())
}

/// Leaves address and token for commands on this machine; the token of the last start is used again.
async fn leave_local_file(store: &Store, app: &App, config: &Config, address: SocketAddr) -> Result<(), CliError> {
    let fault = |e: steading_store::StoreError| CliError::fault(Kind::Server, &e);
    let dir = &config.server.data_dir;
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let server = format!("http://{}", SocketAddr::new(ip, address.port()));
    let kept = Local::read(dir).map(|l| l.token);
    let holds = match &kept {
        Some(token) => store.tokens().find(token).await.map_err(fault)?.is_some(),
        None => false,
    };
    let token = match kept {
        Some(token) if holds => token,
        _ => {
            let made = store.tokens().create(app.admin(), "commands on this machine", Scope::All, None).await;
            made.map_err(fault)?.1.reveal().clone()
        }
    };
    let installation = store.installation().to_owned();
    Local { server, token, installation }.write(dir).map_err(CliError::internal)
}

/// The one line that a person needs.
async fn announce(app: &App) -> Result<(), CliError> {
    let link = steading_api::auth::link::mint(app).await.map_err(refused)?;
    // Whoever started us may not read on; that is no reason to end.
    let _ = say!("Steading is at {} — sign in once with {link}", app.urls);
    Ok(())
}

fn stop_on_signals(shutdown: CancellationToken) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::internal)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
