//! The container engine's own API, with nothing in between: what a floor is measured with.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

/// Every object of the bench bears it.
pub const LABEL: &str = "dev.steading.bench";

/// An engine on its socket.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: String,
}

impl Engine {
    /// The engine that DOCKER_HOST names, or the one at the usual socket.
    pub fn here() -> Result<Self> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let socket = match host.strip_prefix("unix://") {
            Some(path) => path.to_owned(),
            None if host.is_empty() => "/var/run/docker.sock".to_owned(),
            None => bail!("the bench needs an engine on this machine, not {host}"),
        };
        Ok(Self { socket })
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let stream = UnixStream::connect(&self.socket).await.context("no container engine answers")?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let request = Request::builder().method(method).uri(format!("/v1.41{path}")).header("host", "docker");
        let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, value) = self.call(method.clone(), path, body).await?;
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            bail!("{method} {path}: {status}: {value}");
        }
        Ok(value)
    }

    /// Makes a container from the body of a create call; its id.
    pub async fn create(&self, mut body: Value) -> Result<String> {
        body["Labels"] = json!({ LABEL: "yes" });
        let made = self.ok(Method::POST, "/containers/create", Some(body)).await?;
        Ok(made["Id"].as_str().context("the engine names no id")?.to_owned())
    }

    /// Starts a container.
    pub async fn start(&self, id: &str) -> Result<()> {
        self.ok(Method::POST, &format!("/containers/{id}/start"), None).await.map(drop)
    }

    /// Stops a container, killing it after ten seconds.
    pub async fn stop(&self, id: &str) -> Result<()> {
        self.ok(Method::POST, &format!("/containers/{id}/stop?t=10"), None).await.map(drop)
    }

    /// Removes a container and its anonymous volumes, running or not.
    pub async fn remove(&self, id: &str) -> Result<()> {
        self.ok(Method::DELETE, &format!("/containers/{id}?force=true&v=true"), None).await.map(drop)
    }

    /// All there is to say of a container.
    pub async fn inspect(&self, id: &str) -> Result<Value> {
        self.ok(Method::GET, &format!("/containers/{id}/json"), None).await
    }

    /// Its address on the bridge.
    pub async fn address(&self, id: &str) -> Result<String> {
        let seen = self.inspect(id).await?;
        let networks = seen["NetworkSettings"]["Networks"].as_object().context("no networks")?;
        let mut addresses = networks.values().filter_map(|n| n["IPAddress"].as_str()).filter(|a| !a.is_empty());
        Ok(addresses.next().context("the container has no address")?.to_owned())
    }

    /// Ids of containers that bear a label.
    pub async fn labelled(&self, label: &str) -> Result<Vec<String>> {
        // The two characters of JSON that a query cannot hold as they are.
        let filters = json!({ "label": [label] }).to_string().replace('"', "%22").replace(' ', "%20");
        let found = self.ok(Method::GET, &format!("/containers/json?all=true&filters={filters}"), None).await?;
        let ids = found.as_array().into_iter().flatten().filter_map(|c| c["Id"].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    /// Removes what the bench has made. Errors do not matter: it is the last thing.
    pub async fn clear(&self) {
        for id in self.labelled(LABEL).await.unwrap_or_default() {
            let _ = self.remove(&id).await;
        }
    }
}
