//! Keeps workspaces and builds from opening connections to services of the host.
//!
//! A container reaches whatever listens on the host's 0.0.0.0, through the bridge or through any other
//! address of the host. A chain of our own, entered for packets from the bridge, lets answers and name
//! look-ups pass and nothing else. The host can still dial in.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::labels::Names;

/// The chains of the system that lead to ours.
const ENTRANCES: [&str; 2] = ["INPUT", "FORWARD"];

/// Whether the rules of one installation are in force, as far as we know.
#[derive(Default)]
pub struct Firewall {
    workspaces: Known,
    builds: Known,
}

/// What was found out last.
#[derive(Default)]
struct Known(Mutex<Option<Result<(), String>>>);

impl Known {
    /// Takes what was found out; `true` if somebody should be told. That all is well at first is no news.
    fn is_news(&self, found: &Result<(), String>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.replace(found.clone());
        before.map_or(found.is_err(), |before| before != *found)
    }
}

impl Firewall {
    /// Has the rules for workspaces.
    pub async fn keep_workspaces(&self, names: &Names, local: bool) {
        let bridge = names.bridge();
        let result = if is_here(local, &bridge) {
            let chain = Chain { name: names.chain(), servers: name_servers().await, known: Vec::new(), until: None };
            chain.install(&[vec!["INPUT", "-i", &bridge]]).await
        } else {
            Err("the container engine is not on this machine".to_owned())
        };
        if !self.workspaces.is_news(&result) {
            return;
        }
        match result {
            Ok(()) => tracing::info!(bridge, "workspaces are kept from the container host again"),
            Err(reason) => tracing::warn!(
                reason,
                "workspaces may reach services that listen on the container host; block traffic from the interface \
                 {bridge} to the host itself, or set runtime.isolate_host to false to accept it"
            ),
        }
    }

    /// Has the rules for builds until then: whoever is on this bridge and has none of the known addresses
    /// reaches neither the host nor a neighbour.
    pub async fn keep_builds(&self, names: &Names, bridge: &str, known: Vec<IpAddr>, until: DateTime<Utc>) {
        let chain = Chain { name: names.build_chain(), servers: name_servers().await, known, until: Some(until) };
        let entrances = [vec!["INPUT", "-i", bridge], vec!["FORWARD", "-i", bridge, "-o", bridge]];
        self.tell_of_builds(chain.install(&entrances).await);
    }

    /// Says so if builds are not kept from the host any more, or are again.
    pub fn tell_of_builds(&self, result: Result<(), String>) {
        if !self.builds.is_news(&result) {
            return;
        }
        match result {
            Ok(()) => tracing::info!("builds are kept from the container host again"),
            Err(reason) => tracing::warn!(
                reason,
                "instructions of Dockerfiles may reach services of the container host and containers on the engine's \
                 own bridge; build only what you trust, or set runtime.isolate_host to false to accept it"
            ),
        }
    }
}

/// Whether a bridge is an interface of this machine.
pub fn is_here(local: bool, bridge: &str) -> bool {
    local && Path::new("/sys/class/net").join(bridge).exists()
}

/// Takes the rules away, where there are any.
pub async fn open(names: &Names) {
    for chain in [names.chain(), names.build_chain()] {
        for entrance in ENTRANCES {
            let listed = iptables(&["-S", entrance]).await.unwrap_or_default();
            for rule in listed.lines().filter_map(|line| line.strip_prefix("-A ")) {
                let words: Vec<&str> = rule.split_whitespace().collect();
                if words.last() == Some(&chain.as_str()) {
                    let _ = iptables(&[&["-D"], words.as_slice()].concat()).await;
                }
            }
        }
        for action in ["-F", "-X"] {
            let _ = iptables(&[action, &chain]).await;
        }
    }
}

/// One of our chains.
struct Chain {
    name: String,
    /// Those that may be asked for names.
    servers: Vec<IpAddr>,
    /// Those that are none of our business.
    known: Vec<IpAddr>,
    /// When it stops to refuse anything.
    until: Option<DateTime<Utc>>,
}

impl Chain {
    /// Has it, and has these rules (without their target) lead to it.
    async fn install(&self, entrances: &[Vec<&str>]) -> Result<(), String> {
        // The chain is loaded whole, so there is no moment with half of it.
        restore(&self.rules()).await?;
        for entrance in entrances {
            let jump = |action: &'static str| [&[action], entrance.as_slice(), &["-j", &self.name]].concat();
            if iptables(&jump("-C")).await.is_err() {
                iptables(&jump("-I")).await?;
            }
        }
        Ok(())
    }

    /// The chain in the form that `iptables-restore` reads.
    fn rules(&self) -> String {
        let name = &self.name;
        let mut text = format!("*filter\n:{name} - [0:0]\n");
        text.push_str(&format!("-A {name} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN\n"));
        for address in self.known.iter().filter(|address| address.is_ipv4()) {
            text.push_str(&format!("-A {name} -s {address} -j RETURN\n"));
        }
        for server in self.servers.iter().filter(|server| server.is_ipv4()) {
            for protocol in ["udp", "tcp"] {
                text.push_str(&format!("-A {name} -d {server} -p {protocol} --dport 53 -j RETURN\n"));
            }
        }
        let until =
            self.until.map_or_else(String::new, |at| at.format(" -m time --datestop %Y-%m-%dT%H:%M:%S").to_string());
        // A refusal is noticed at once; silence looks like a slow network.
        text.push_str(&format!("-A {name}{until} -p tcp -j REJECT --reject-with tcp-reset\n"));
        text.push_str(&format!("-A {name}{until} -j REJECT\nCOMMIT\n"));
        text
    }
}

async fn name_servers() -> Vec<IpAddr> {
    named_in(&tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default())
}

/// The servers that containers ask through the bridge when the host names them; the engine replaces
/// those on loopback itself.
fn named_in(resolv: &str) -> Vec<IpAddr> {
    resolv
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok())
        .filter(|server| !server.is_loopback())
        .collect()
}

async fn restore(text: &str) -> Result<(), String> {
    let mut child = command("iptables-restore")
        .args(["-w", "5", "--noflush"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("iptables-restore: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    judge("iptables-restore", &output).map(drop)
}

/// What it prints.
async fn iptables(arguments: &[&str]) -> Result<String, String> {
    let output = command("iptables")
        .args(["-w", "5"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("iptables: {error}"))?;
    judge("iptables", &output)
}

/// A program of the administrator's. Servers often run with a search path without the administrator's folders.
pub fn command(name: &str) -> Command {
    let folders = ["/usr/sbin", "/sbin", "/usr/local/sbin"];
    let path = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    let mut command = Command::new(path.unwrap_or_else(|| name.into()));
    command.kill_on_drop(true);
    command
}

fn judge(name: &str, output: &Output) -> Result<String, String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_and_the_named_servers_pass() {
        let servers = named_in("search x\nnameserver 10.0.0.2\nnameserver 127.0.0.53\nnameserver fe80::1\n");
        let text = Chain { name: "STEADING-x".to_owned(), servers, known: Vec::new(), until: None }.rules();
        assert!(text.contains("-d 10.0.0.2 -p udp --dport 53 -j RETURN"), "{text}");
        assert!(!text.contains("127.0.0.53"), "{text}");
        assert!(text.trim_end().ends_with("-A STEADING-x -j REJECT\nCOMMIT"), "{text}");
    }

    #[test]
    fn rules_for_builds_spare_containers_and_end_by_themselves() {
        let until = DateTime::from_timestamp(1_795_767_259, 0);
        let known = vec!["172.17.0.2".parse().unwrap()];
        let text = Chain { name: "STEADING-x-BUILD".to_owned(), servers: Vec::new(), known, until }.rules();
        assert!(text.contains("-A STEADING-x-BUILD -s 172.17.0.2 -j RETURN\n"), "{text}");
        let end = "-A STEADING-x-BUILD -m time --datestop 2026-11-27T08:14:19 -j REJECT\nCOMMIT\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn only_what_changes_is_news() {
        let known = Known::default();
        let told: Vec<bool> = [Ok(()), Ok(()), Err("a"), Err("a"), Err("b"), Ok(())]
            .map(|found| known.is_news(&found.map_err(str::to_owned)))
            .into();
        assert_eq!(told, [false, false, true, false, true, true]);
        assert!(Known::default().is_news(&Err("a".to_owned())));
    }
}
