//! The one network of an installation's workspaces, on which they cannot reach each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};
use steading_core::runtime::Result;
use tokio::sync::Mutex;

use super::{Docker, carrier, firewall};
use crate::error;

/// How long rules of the firewall are believed to be there: whoever loads theirs anew (`ufw reload`, firewalld)
/// may take ours away.
const BELIEF: Duration = Duration::from_secs(10);
/// The options of the engine that we set or copy.
const ICC: &str = "com.docker.network.bridge.enable_icc";
pub const BRIDGE: &str = "com.docker.network.bridge.name";
const MTU: &str = "com.docker.network.driver.mtu";

/// Whether the network is there.
#[derive(Default)]
pub struct Network {
    seen: AtomicBool,
    making: Mutex<()>,
}

impl Network {
    /// Has the network and its isolation; asks the engine the first time only.
    pub async fn ready(&self, docker: &Docker) -> Result<()> {
        if self.seen.load(Ordering::Acquire) {
            return Ok(());
        }
        let _making = self.making.lock().await;
        if self.seen.load(Ordering::Acquire) {
            return Ok(());
        }
        self.make(docker).await?;
        self.guard(docker).await;
        self.seen.store(true, Ordering::Release);
        Ok(())
    }

    /// Looks after the isolation for ever, whether or not anything is started: workspaces outlive us, and so
    /// they may run before we do.
    pub async fn keep(&self, docker: &Docker) {
        loop {
            let local = docker.engine.is_local();
            if !local || firewall::is_here(local, &docker.names.bridge()) {
                self.guard(docker).await;
            }
            tokio::time::sleep(BELIEF).await;
        }
    }

    async fn guard(&self, docker: &Docker) {
        let local = docker.engine.is_local();
        if docker.isolate {
            docker.firewall.keep_workspaces(&docker.names, local).await;
        }
        carrier::keep(&docker.names, local).await;
    }

    /// Looks again next time.
    pub fn doubt(&self) {
        self.seen.store(false, Ordering::Release);
    }

    /// Moves a container that is down from a network that is gone to the one that is there.
    pub async fn rejoin(&self, docker: &Docker, container: &str) -> Result<()> {
        let client = docker.engine.client().await?;
        let name = docker.names.network();
        let leave = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        client.disconnect_network(&name, leave).await.map_err(error::engine)?;
        let join = NetworkConnectRequest { container: container.to_owned(), endpoint_config: None };
        client.connect_network(&name, join).await.map_err(error::engine)
    }

    async fn make(&self, docker: &Docker) -> Result<()> {
        let client = docker.engine.client().await?;
        let name = docker.names.network();
        match client.inspect_network(&name, None).await {
            Ok(_) => return Ok(()),
            Err(missing) if error::is_missing(&missing) => {}
            Err(other) => return Err(error::engine(other)),
        }
        let mut options =
            HashMap::from([(ICC.to_owned(), "false".to_owned()), (BRIDGE.to_owned(), docker.names.bridge())]);
        // A smaller packet size is set for the engine's own network and not handed on to others.
        if let Ok(default) = client.inspect_network("bridge", None).await
            && let Some(mtu) = default.options.and_then(|mut options| options.remove(MTU))
        {
            options.insert(MTU.to_owned(), mtu);
        }
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            options: Some(options),
            labels: Some(docker.names.own()),
            ..NetworkCreateRequest::default()
        };
        match client.create_network(request).await {
            Ok(_) => Ok(()),
            // Two at once: the name of the interface lets only one of them in.
            Err(refused) => match client.inspect_network(&name, None).await {
                Ok(_) => Ok(()),
                Err(_) => Err(error::engine(refused)),
            },
        }
    }
}
