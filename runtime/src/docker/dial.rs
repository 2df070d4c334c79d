//! The one door into a workspace: by the container's address where that is reachable from here, and
//! through the relay inside for loopback listeners and where it is not.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steading_core::WorkspaceId;
use steading_core::runtime::{Duplex, Exec, ProcessControl, Result, RuntimeError};
use tokio::net::TcpStream;

use super::relay::{self, Session};
use super::{Docker, observe, tools};
use crate::labels;

/// A container on this machine's bridge answers in microseconds; what takes longer is not reachable.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an address that could not be reached is left alone.
const DETOUR: Duration = Duration::from_secs(30);
/// How long an address is believed whose container's life we cannot see from here.
const BELIEF: Duration = Duration::from_secs(1);
/// How long a relay that ended before it said a word is left alone.
const REST: Duration = Duration::from_secs(2);
/// How long such a relay may take to tell its exit code.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How to reach the ports of one container.
#[derive(Default)]
pub struct Doorway {
    address: Mutex<Option<Address>>,
    unreachable: Mutex<Option<Instant>>,
    relay: tokio::sync::Mutex<Option<Arc<Relay>>>,
    silent: Mutex<Option<Silence>>,
}

/// The relay that runs in a container.
struct Relay {
    session: Session,
    control: Box<dyn ProcessControl>,
}

/// Why no relay is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// The container has no helper binary, or something else in its place.
    Absent,
    /// It ended at once, which may have been an accident: of a busy machine, of memory.
    Ended(Instant),
}

impl Silence {
    /// What it means that a relay ended before it said a word of ours.
    fn judge(exit: Option<i64>, babbled: bool) -> Self {
        // What a shell and an engine say of a program that is not there or cannot run.
        if babbled || matches!(exit, Some(126 | 127)) { Self::Absent } else { Self::Ended(Instant::now()) }
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Ended(since) if since.elapsed() >= REST)
    }
}

/// Where a running container is. An address goes to another container soon after this one ends, and
/// must not lead there: so it counts only while the container's first process lives.
#[derive(Debug, Clone)]
struct Address {
    ip: IpAddr,
    services: Vec<u16>,
    life: Option<Life>,
    seen: Instant,
}

/// One process of this machine: its number, and when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Life {
    pid: i64,
    started: u64,
}

impl Life {
    /// The first process of a container; `None` if its number means nothing on this machine.
    fn of(pid: i64, container: &str) -> Option<Self> {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        groups.contains(container).then_some(())?;
        Some(Self { pid, started: Self::started(pid)? })
    }

    fn goes_on(&self) -> bool {
        Self::started(self.pid) == Some(self.started)
    }

    /// Field 22 of proc(5) stat, counted after the name, which may contain anything. A process that
    /// has ended and waits for its parent does not count.
    fn started(pid: i64) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        if matches!(state, "Z" | "X") {
            return None;
        }
        fields.nth(18)?.parse().ok()
    }
}

impl Address {
    fn holds(&self) -> bool {
        self.life.as_ref().map_or_else(|| self.seen.elapsed() < BELIEF, Life::goes_on)
    }
}

impl Doorway {
    fn address(&self) -> Option<Address> {
        let mut address = lock(&self.address);
        if address.as_ref().is_some_and(|address| !address.holds()) {
            *address = None;
        }
        address.clone()
    }

    /// Drops what was found out: the container ended or started.
    pub fn doubt(&self) {
        *lock(&self.address) = None;
        *lock(&self.unreachable) = None;
        *lock(&self.silent) = None;
    }

    fn is_unreachable(&self) -> bool {
        lock(&self.unreachable).is_some_and(|since| since.elapsed() < DETOUR)
    }

    fn is_silent(&self) -> bool {
        let mut silent = lock(&self.silent);
        if silent.is_some_and(Silence::is_over) {
            *silent = None;
        }
        silent.is_some()
    }
}

fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Docker {
    /// Connects to a port of the main container.
    pub(super) async fn connect(&self, id: WorkspaceId, port: u16) -> Result<Box<dyn Duplex>> {
        let container = self.container(id, None).await?;
        let mut doorway = self.places.doorway(id, &container);
        let address = match doorway.address() {
            Some(address) => address,
            None => {
                let (container, address) = self.address(id, container).await?;
                doorway = self.places.doorway(id, &container);
                *lock(&doorway.address) = Some(address.clone());
                address
            }
        };
        if !doorway.is_unreachable() {
            match tokio::time::timeout(PATIENCE, TcpStream::connect((address.ip, port))).await {
                Ok(Ok(stream)) => {
                    // Had the container ended meanwhile, this might be another one.
                    if !address.holds() {
                        doorway.doubt();
                        return Err(RuntimeError::Gone);
                    }
                    let _ = stream.set_nodelay(true);
                    return Ok(Box::new(stream));
                }
                Ok(Err(refused)) if refused.kind() == std::io::ErrorKind::ConnectionRefused => {
                    if !address.holds() {
                        doorway.doubt();
                        return Err(RuntimeError::Gone);
                    }
                    // Services listen on every address, so there is nothing to look for on loopback.
                    if address.services.contains(&port) {
                        return Err(RuntimeError::NoListener(port));
                    }
                }
                Ok(Err(_)) | Err(_) if !address.holds() => {
                    doorway.doubt();
                    return Err(RuntimeError::Gone);
                }
                Ok(Err(_)) | Err(_) => *lock(&doorway.unreachable) = Some(Instant::now()),
            }
        }
        self.connect_inside(id, &doorway, port).await
    }

    /// Where the main container is now; it may be another than the one we knew.
    async fn address(&self, id: WorkspaceId, known: String) -> Result<(String, Address)> {
        let mut container = known;
        let mut seen = self.inspect_container(&container).await?;
        if seen.is_none() {
            self.places.forget(id);
            container = self.container(id, None).await?;
            seen = self.inspect_container(&container).await?;
        }
        let seen = seen.ok_or(RuntimeError::Gone)?;
        let state = seen.state.as_ref();
        if state.and_then(|state| state.running) != Some(true) {
            return Err(RuntimeError::Gone);
        }
        let services = observe::labels_of(&seen).and_then(|labels| labels.get(labels::SERVICES));
        let services = services.into_iter().flat_map(|ports| ports.split(',')).filter_map(|p| p.parse().ok()).collect();
        let pid = state.and_then(|state| state.pid).unwrap_or_default();
        let networks = seen.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let ip = networks
            .and_then(|networks| networks.get(&self.names.network()))
            .and_then(|network| network.ip_address.as_deref()?.parse().ok())
            .ok_or(RuntimeError::Gone)?;
        let life = if self.engine.is_local() { Life::of(pid, &container) } else { None };
        Ok((container, Address { ip, services, life, seen: Instant::now() }))
    }

    async fn connect_inside(&self, id: WorkspaceId, doorway: &Doorway, port: u16) -> Result<Box<dyn Duplex>> {
        if doorway.is_silent() {
            return Err(RuntimeError::NoListener(port));
        }
        let Some(relay) = self.relay(id, doorway).await? else {
            return Err(RuntimeError::NoListener(port));
        };
        match relay.session.open(port).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(relay::OpenError::Refused) => Err(RuntimeError::NoListener(port)),
            Err(relay::OpenError::Over) if relay.session.spoke() => {
                doorway.doubt();
                Err(RuntimeError::Gone)
            }
            Err(relay::OpenError::Over) => {
                let exit = tokio::time::timeout(LAST_WORD, relay.control.exit_code()).await;
                let silence = Silence::judge(exit.ok().and_then(Result::ok), relay.session.babbled());
                tracing::debug!(workspace.id = %id, ?silence, "a relay ended before it said a word");
                *lock(&doorway.silent) = Some(silence);
                Err(RuntimeError::NoListener(port))
            }
        }
    }

    /// The relay of a container, begun if it is not there; `None` if it cannot be.
    async fn relay(&self, id: WorkspaceId, doorway: &Doorway) -> Result<Option<Arc<Relay>>> {
        let mut relay = doorway.relay.lock().await;
        if let Some(open) = relay.as_ref().filter(|open| !open.session.is_over()) {
            return Ok(Some(open.clone()));
        }
        let exec = Exec {
            command: vec![format!("{}/{}", tools::BIN, crate::bundle::INSIDE), "relay".to_owned()],
            user: Some("0".to_owned()),
            stdin: true,
            ..Exec::default()
        };
        let process = self.run(id, exec).await?;
        let Some(stdin) = process.stdin else {
            *lock(&doorway.silent) = Some(Silence::Absent);
            return Ok(None);
        };
        let begun = Arc::new(Relay { session: Session::new(stdin, process.output), control: process.control });
        *relay = Some(begun.clone());
        Ok(Some(begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_that_cannot_run_is_given_up_for_good() {
        for (exit, babbled) in [(Some(126), false), (Some(127), false), (Some(0), true), (None, true)] {
            assert_eq!(Silence::judge(exit, babbled), Silence::Absent);
        }
        for exit in [Some(1), Some(137), None] {
            assert!(matches!(Silence::judge(exit, false), Silence::Ended(_)), "{exit:?}");
        }
        assert!(!Silence::Absent.is_over() && !Silence::Ended(Instant::now()).is_over());
    }
}
