//! Keeps workspaces from opening connections to services of the host.
//!
//! A container reaches whatever listens on the host's 0.0.0.0, through the bridge or through any other
//! address of the host. One chain of our own, entered from INPUT for packets from our bridge, lets
//! answers and name look-ups pass and nothing else. The host can still dial in.

use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Once;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::labels::Names;

static WARNED: Once = Once::new();

/// Has the rules; a warning, once, where that cannot be done.
pub async fn isolate(names: &Names, local: bool) {
    let bridge = names.bridge();
    let result = if local && Path::new("/sys/class/net").join(&bridge).exists() {
        let servers = name_servers(&tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default());
        install(&names.chain(), &bridge, &servers).await
    } else {
        Err("the container engine is not on this machine".to_owned())
    };
    if let Err(reason) = result {
        WARNED.call_once(|| {
            tracing::warn!(
                reason,
                "workspaces may reach services that listen on the container host; block traffic from the interface \
                 {bridge} to the host itself, or set runtime.isolate_host to false to accept it"
            );
        });
    }
}

/// Takes the rules away, where there are any.
pub async fn open(names: &Names) {
    let (chain, bridge) = (names.chain(), names.bridge());
    for arguments in [vec!["-D", "INPUT", "-i", &bridge, "-j", &chain], vec!["-F", &chain], vec!["-X", &chain]] {
        let _ = iptables(&arguments).await;
    }
}

async fn install(chain: &str, bridge: &str, servers: &[IpAddr]) -> Result<(), String> {
    // The chain is loaded whole, so there is no moment with half of it.
    restore(&rules(chain, servers)).await?;
    let jump = |action: &'static str| vec![action, "INPUT", "-i", bridge, "-j", chain];
    if iptables(&jump("-C")).await.is_err() {
        iptables(&jump("-I")).await?;
    }
    Ok(())
}

/// The chain in the form that `iptables-restore` reads.
fn rules(chain: &str, servers: &[IpAddr]) -> String {
    let mut text = format!("*filter\n:{chain} - [0:0]\n");
    text.push_str(&format!("-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN\n"));
    for server in servers.iter().filter(|server| server.is_ipv4()) {
        for protocol in ["udp", "tcp"] {
            text.push_str(&format!("-A {chain} -d {server} -p {protocol} --dport 53 -j RETURN\n"));
        }
    }
    // A refusal is noticed at once; silence looks like a slow network.
    text.push_str(&format!("-A {chain} -p tcp -j REJECT --reject-with tcp-reset\n-A {chain} -j REJECT\nCOMMIT\n"));
    text
}

/// The servers that containers ask through the bridge when the host names them; the engine replaces
/// those on loopback itself.
fn name_servers(resolv: &str) -> Vec<IpAddr> {
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
    judge("iptables-restore", &output)
}

async fn iptables(arguments: &[&str]) -> Result<(), String> {
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

fn judge(name: &str, output: &std::process::Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_and_the_named_servers_pass() {
        let servers = name_servers("search x\nnameserver 10.0.0.2\nnameserver 127.0.0.53\nnameserver fe80::1\n");
        let text = rules("STEADING-x", &servers);
        assert!(text.contains("-d 10.0.0.2 -p udp --dport 53 -j RETURN"), "{text}");
        assert!(!text.contains("127.0.0.53"), "{text}");
        assert!(text.trim_end().ends_with("-A STEADING-x -j REJECT\nCOMMIT"), "{text}");
    }
}
