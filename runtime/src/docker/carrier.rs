//! Keeps the bridge of the workspaces' network awake.
//!
//! A bridge has no carrier while no container is on it, and the kernel acts on a carrier that comes back
//! at most once a second. Until then nothing reaches a container that has just started, which costs the
//! first workspace of a quiet machine up to a second. A port that is always there prevents it: a sink,
//! which leads nowhere, so that nobody gets past the firewall through it.

use std::path::Path;
use std::process::Stdio;

use super::firewall;
use crate::labels::Names;

/// Devices that swallow what they are given; not every kernel has both.
const SINKS: [&str; 2] = ["dummy", "ifb"];

/// Has the port, where the bridge is on this machine and we may change its links. It is worth no warning
/// where we may not.
pub async fn keep(names: &Names, local: bool) {
    let (bridge, port) = (names.bridge(), names.sink());
    let bridge_at = Path::new("/sys/class/net").join(&bridge);
    if !local || !bridge_at.exists() || bridge_at.join("brif").join(&port).exists() {
        return;
    }
    for kind in SINKS {
        if link(&["add", &port, "type", kind]).await {
            break;
        }
    }
    // It may have been there before, for a bridge that is gone.
    if !link(&["set", &port, "master", &bridge, "up"]).await {
        tracing::debug!(bridge, "the bridge sleeps while no workspace runs");
    }
}

/// Takes the port away, where there is one.
pub async fn release(names: &Names) {
    link(&["del", &names.sink()]).await;
}

async fn link(arguments: &[&str]) -> bool {
    let mut command = firewall::command("ip");
    command.arg("link").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}
