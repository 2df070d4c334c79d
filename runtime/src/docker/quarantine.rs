//! Keeps builds apart from the host and from other people's containers.
//!
//! The engine's BuildKit runs the instructions of a Dockerfile on the engine's own bridge. It takes no other
//! network and no limits (of what the interface offers, `networkmode` is refused but for `host` and `none`;
//! `cgroupparent`, `memory` and the like are ignored). Its addresses cannot be told beforehand either. But
//! those of containers can: so while one of our builds goes on, everybody else on that bridge may open
//! connections neither to the host nor to a neighbour. That holds for other people's builds of these minutes,
//! too; a container that starts meanwhile is known before its program runs. The rules end by
//! themselves soon after the build, and after whatever became of us.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;

use bollard::query_parameters::EventsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use steading_core::runtime::Result;

use super::{Docker, firewall, network};
use crate::error;

/// The network that BuildKit uses.
const NETWORK: &str = "bridge";
/// Its interface, where the engine does not say.
const USUAL: &str = "docker0";
/// Rules are set anew so often, and end after so long.
const RENEWAL: Duration = Duration::from_secs(10);
const TERM: Duration = Duration::from_secs(60);
/// Before an engine that hung up is asked again.
const PAUSE: Duration = Duration::from_secs(1);

static WARNED: Once = Once::new();

impl Docker {
    /// Does a build where it reaches neither the host nor its neighbours.
    pub(super) async fn apart<T>(&self, build: impl Future<Output = T>) -> T {
        WARNED.call_once(|| {
            tracing::warn!(
                "instructions of Dockerfiles run without limits of memory, CPU and processes: the engine's builder \
                 takes none; where that matters, set them on its control group, docker/buildkit"
            );
        });
        if !self.isolate {
            return build.await;
        }
        let since = Utc::now();
        self.set_apart().await;
        tokio::select! {
            result = build => result,
            never = self.keep_apart(since) => match never {},
        }
    }

    /// Sets the rules anew whenever a container comes or goes, and before they end.
    async fn keep_apart(&self, mut since: DateTime<Utc>) -> Infallible {
        loop {
            if let Ok(client) = self.engine.client().await {
                let filter = HashMap::from([
                    ("type".to_owned(), vec!["network".to_owned()]),
                    ("network".to_owned(), vec![NETWORK.to_owned()]),
                    ("event".to_owned(), vec!["connect".to_owned(), "disconnect".to_owned()]),
                ]);
                let since = format!("{}.{:09}", since.timestamp(), since.timestamp_subsec_nanos());
                let mut changes =
                    client.events(Some(EventsOptionsBuilder::new().filters(&filter).since(&since).build())).boxed();
                while let Ok(Some(Ok(_))) | Err(_) = tokio::time::timeout(RENEWAL, changes.next()).await {
                    self.set_apart().await;
                }
            }
            since = Utc::now();
            tokio::time::sleep(PAUSE).await;
            self.set_apart().await;
        }
    }

    async fn set_apart(&self) {
        match self.neighbours().await {
            Ok(Some((bridge, known))) if firewall::is_here(self.engine.is_local(), &bridge) => {
                self.firewall.keep_builds(&self.names, &bridge, known, Utc::now() + TERM).await;
            }
            Ok(Some(_)) => self.firewall.tell_of_builds(Err("the container engine is not on this machine".to_owned())),
            // Without a bridge, builds have no network.
            Ok(None) => {}
            Err(error) => self.firewall.tell_of_builds(Err(error.to_string())),
        }
    }

    /// The interface of the engine's own bridge, and the addresses that containers have on it.
    async fn neighbours(&self) -> Result<Option<(String, Vec<IpAddr>)>> {
        let network = match self.engine.client().await?.inspect_network(NETWORK, None).await {
            Ok(network) => network,
            Err(missing) if error::is_missing(&missing) => return Ok(None),
            Err(other) => return Err(error::engine(other)),
        };
        let bridge = network.options.and_then(|mut options| options.remove(network::BRIDGE));
        let members = network.containers.unwrap_or_default().into_iter();
        let known = members.filter(|(id, _)| is_container(id)).filter_map(|(_, member)| {
            let address = member.ipv4_address?;
            address.split('/').next()?.parse().ok()
        });
        Ok(Some((bridge.unwrap_or_else(|| USUAL.to_owned()), known.collect())))
    }
}

/// Instructions of builds are listed among the members, by shorter ids of BuildKit's own.
fn is_container(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_builds_are_no_containers() {
        assert!(is_container("809ddaa4b89b63d298b59076db8cfea0bebb957ec91870c1b51d4c30cb1fa428"));
        assert!(!is_container("i5fuxxkx69wdfn86hjzmcxbrx"));
    }
}
