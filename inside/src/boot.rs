//! `inside main`: the first program of the container, below the engine's init.
//!
//! The order is for speed: what is written and read before the service starts are a few small files.

use crate::account::{Account, remap};
use crate::failure::{CONFIG, Failure, Result, say};
use crate::launch::inherited;
use crate::ownership;
use crate::place::{Place, SPEC_VARIABLE, write_whole};
use crate::process;
use crate::service::{self, Service};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What the container is to do; the JSON in `STEADING_INSIDE`. Fields it does not know are for later versions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// updateRemoteUserUID.
    pub uid: Option<remap::Wanted>,
    /// Trees given to the user of the service (or of `uid`), once: volumes inside the home, the workspace folder.
    pub home_paths_to_chown: Vec<PathBuf>,
    /// The service.
    pub service: Option<Service>,
    /// The service waits until this file exists.
    pub gate: Option<PathBuf>,
    /// The image's own command (overrideCommand: false).
    pub command: Option<Image>,
    /// Capabilities that `inside` has and nothing it starts for people gets.
    pub drop: Vec<String>,
}

/// The image's own command.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// The containerUser.
    pub user: String,
    /// ENTRYPOINT and CMD.
    pub args: Vec<String>,
    /// Its working folder, when it is not the container's.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// The image's STOPSIGNAL, SIGTERM when absent.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// How long it may take to stop.
    #[serde(default)]
    pub grace_ms: Option<u64>,
}

/// A busy machine may take seconds from the start of a container to its first program.
const MAIN_PATIENCE: Duration = Duration::from_secs(10);
const SERVICE_GRACE: Duration = Duration::from_millis(1000);
/// Below the engine's 10 s: a database that is the image's command must be able to close its files.
const COMMAND_GRACE: Duration = Duration::from_millis(8000);

impl Spec {
    fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Failure::new("bad-spec", CONFIG, format!("{SPEC_VARIABLE}: {e}")))
    }

    /// As `main` stored it. Whoever asks right after the container's start may be faster than `main`.
    pub fn load(place: &Place) -> Result<Self> {
        let file = place.state()?.join("main.json");
        let begun = Instant::now();
        loop {
            match std::fs::read_to_string(&file) {
                Ok(text) => return Self::parse(&text),
                Err(_) if begun.elapsed() < MAIN_PATIENCE => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => {
                    let message = "this container was not started by `inside main`, or another user asks";
                    return Err(Failure::new("no-spec", crate::failure::ABSENT, message));
                }
            }
        }
    }
}

/// Runs until it is told to stop.
pub fn command(place: &Place) -> Result<u8> {
    let signals = listen();
    let text = std::env::var(SPEC_VARIABLE).unwrap_or_else(|_| "{}".to_owned());
    // A container must come up even with a specification nobody can read: how else could one look into it?
    let spec = Spec::parse(&text).unwrap_or_else(|failure| {
        say(failure);
        Spec::default()
    });
    if let Err(failure) = keep(place, &text) {
        say(failure);
    }
    prepare(place, &spec);
    if let Some(service) = &spec.service {
        match service::gate_is_open(place, &spec) {
            false => say(format_args!("{} waits for its gate", service.name)),
            true => start_service(place.clone(), service.clone()),
        }
    }
    let image = spec.command.as_ref().and_then(|command| start_image(place, command));
    wait(place, &spec, image, &signals);
    Ok(0)
}

/// In a thread: asking the user's shell may take seconds, and meanwhile the container must be able to stop.
fn start_service(place: Place, service: Service) {
    std::thread::spawn(move || {
        if let Err(failure) = service::start(&place, &service, &[]) {
            say(format_args!("{} did not start: {failure}", service.name));
        }
    });
}

/// A thread hears the signals; the main thread reads them, with time-outs where it wants.
fn listen() -> Receiver<Signal> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGCHLD] {
        set.add(signal);
    }
    let _ = set.thread_block();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || while set.wait().is_ok_and(|signal| sender.send(signal).is_ok()) {});
    receiver
}

/// Stores what later calls need: private, as both may hold secrets.
fn keep(place: &Place, spec: &str) -> Result<()> {
    let state = place.state()?;
    write_whole(&state.join("main.json"), spec.as_bytes(), 0o600)?;
    let env: BTreeMap<String, String> =
        inherited().into_iter().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let bytes = serde_json::to_vec(&env).unwrap_or_default();
    write_whole(&state.join("environment.json"), &bytes, 0o600)
}

fn prepare(place: &Place, spec: &Spec) {
    if let Some(wanted) = &spec.uid {
        remap::apply(place, wanted);
    }
    let owner = spec.uid.as_ref().map(|wanted| &wanted.user).or(spec.service.as_ref().map(|service| &service.user));
    let Some(owner) = owner.filter(|_| !spec.home_paths_to_chown.is_empty()) else { return };
    match Account::find(place, owner) {
        Err(failure) => say(failure),
        Ok(account) => {
            for path in &spec.home_paths_to_chown {
                let path = place.path(path);
                if ownership::differs(&path, account.uid, account.gid) {
                    ownership::give(&path, account.uid, account.gid);
                }
            }
        }
    }
}

/// The image's own command, once it runs.
struct Running {
    pid: i32,
    stop: Signal,
    grace: Duration,
}

fn start_image(place: &Place, image: &Image) -> Option<Running> {
    let mut command = place.me(&["as", "--user", &image.user]);
    if let Some(cwd) = &image.cwd {
        command.arg("--cwd").arg(cwd);
    }
    command.arg("--").args(&image.args).stdin(Stdio::null()).process_group(0);
    match command.spawn() {
        Ok(child) => Some(Running {
            pid: i32::try_from(child.id()).ok()?,
            stop: image.stop_signal.as_deref().and_then(|s| Signal::from_str(s).ok()).unwrap_or(Signal::SIGTERM),
            grace: image.grace_ms.map_or(COMMAND_GRACE, Duration::from_millis),
        }),
        Err(error) => {
            say(format_args!("the image's command did not start: {error}"));
            None
        }
    }
}

fn wait(place: &Place, spec: &Spec, mut image: Option<Running>, signals: &Receiver<Signal>) {
    loop {
        reap(&mut image);
        match signals.recv() {
            Ok(Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => break,
            Ok(_) => {}
            // Without signals we can only wait to be killed.
            Err(_) => std::thread::sleep(Duration::from_secs(3600)),
        }
    }
    stop(place, spec, image, signals);
}

/// Takes the exit status of whatever ended. Below the engine's init these are our own children; as the first process
/// of a container (a Pod has no init) also everybody's orphans.
fn reap(image: &mut Option<Running>) {
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return,
            Ok(status) => {
                if status.pid().is_some_and(|pid| image.as_ref().is_some_and(|image| image.pid == pid.as_raw())) {
                    say(format_args!("the image's command ended ({}); the container stays", describe(status)));
                    *image = None;
                }
            }
        }
    }
}

fn describe(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exit status {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("killed by {signal}"),
        other => format!("{other:?}"),
    }
}

/// Asks service and command to end, and waits for each no longer than its grace. Hooks are not asked: one that is
/// killed with the container is known to be interrupted, one that ends politely would look failed.
fn stop(place: &Place, spec: &Spec, mut image: Option<Running>, signals: &Receiver<Signal>) {
    let begun = Instant::now();
    let job = spec.service.as_ref().and_then(|service| service::job(place, &service.name).ok());
    let mut service = job.and_then(|job| match job.state() {
        crate::job::State::Running(run) => run.pid.map(|pid| (pid, run.ticks)),
        _ => None,
    });
    if let Some((pid, ticks)) = service {
        process::signal_group(pid, ticks, Signal::SIGTERM);
    }
    if let Some(image) = &image {
        process::signal_group(image.pid, None, image.stop);
    }
    loop {
        reap(&mut image);
        service = service.filter(|(pid, ticks)| process::alive(*pid, *ticks) && begun.elapsed() < SERVICE_GRACE);
        image = image.filter(|image| begun.elapsed() < image.grace);
        if service.is_none() && image.is_none() {
            return;
        }
        if let Err(RecvTimeoutError::Disconnected) = signals.recv_timeout(Duration::from_millis(5)) {
            return;
        }
    }
}
