//! The one network of an installation's workspaces, on which they cannot reach each other.

use std::collections::HashMap;
use std::sync::Mutex as Cell;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bollard::models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};
use steading_core::runtime::Result;
use tokio::sync::Mutex;

use super::{Docker, carrier, firewall};
use crate::error;

/// How long rules of the firewall are believed to be there: other programs load rules anew.
const BELIEF: Duration = Duration::from_secs(60);
/// The options of the engine that we set or copy.
const ICC: &str = "com.docker.network.bridge.enable_icc";
const BRIDGE: &str = "com.docker.network.bridge.name";
const MTU: &str = "com.docker.network.driver.mtu";

/// Whether the network is there.
#[derive(Default)]
pub struct Network {
    seen: Cell<Option<Instant>>,
    making: Mutex<()>,
}

impl Network {
    /// Has the network and its isolation; asks the engine the first time only.
    pub async fn ready(&self, docker: &Docker) -> Result<()> {
        match self.seen() {
            Some(at) if at.elapsed() < BELIEF => return Ok(()),
            Some(_) => {
                // Not on anybody's critical path: the network was there, the rules were too.
                self.note(Some(Instant::now()));
                let (names, local, isolate) = (docker.names.clone(), docker.engine.is_local(), docker.isolate);
                tokio::spawn(async move {
                    if isolate {
                        firewall::isolate(&names, local).await;
                    }
                    carrier::keep(&names, local).await;
                });
                return Ok(());
            }
            None => {}
        }
        let _making = self.making.lock().await;
        if self.seen().is_some() {
            return Ok(());
        }
        self.make(docker).await?;
        if docker.isolate {
            firewall::isolate(&docker.names, docker.engine.is_local()).await;
        }
        carrier::keep(&docker.names, docker.engine.is_local()).await;
        self.note(Some(Instant::now()));
        Ok(())
    }

    /// Looks again next time.
    pub fn doubt(&self) {
        self.note(None);
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

    fn seen(&self) -> Option<Instant> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, at: Option<Instant>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}
