//! The HTTP calls that the commands need.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::ClientArgs;
use crate::error::{CliError, Kind};
use crate::settings::Local;

/// How long a server that lives may be silent: idle streams say a word every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);
/// What a proxy answers for a server that it cannot reach.
const GATEWAY: [StatusCode; 3] =
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

/// A server, spoken to as somebody.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    local: Local,
}

/// What went wrong with a workspace, as the API has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Failure {
    #[serde(default)]
    pub step: String,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    pub output: Option<String>,
}

/// A workspace, as the API has it: what the commands read of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Workspace {
    pub id: String,
    pub slug: String,
    pub phase: String,
    pub desired: String,
    pub url: String,
    pub source: String,
    pub failure: Option<Failure>,
    #[serde(default)]
    pub warnings: Vec<Failure>,
    pub created_at: chrono::DateTime<chrono::Utc>,
    pub updated_at: chrono::DateTime<chrono::Utc>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    message: String,
    hint: Option<String>,
}

impl Client {
    /// The server that the arguments name.
    pub fn connect(args: &ClientArgs) -> Result<Self, CliError> {
        let local = Local::of(args)?;
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build();
        Ok(Self { http: http.map_err(CliError::internal)?, local })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/v1{path}", self.local.server)).bearer_auth(&self.local.token)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|error| {
            CliError::unreachable(format!(
                "{} does not answer: {}",
                self.local.server,
                steading_core::report::chain(&error)
            ))
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(problem(response).await)
    }

    /// GET, as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        read(self.send(self.request(Method::GET, path).timeout(SILENCE)).await?).await
    }

    /// POST with a JSON body, as JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, CliError> {
        read(self.send(self.request(Method::POST, path).json(body)).await?).await
    }

    /// POST that makes something once, however often the network makes us send it.
    pub async fn post_once<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, CliError> {
        let key = steading_core::WorkspaceId::new().to_string();
        let mut tries = 0;
        loop {
            let request = self.request(Method::POST, path).header("idempotency-key", &key).json(body);
            match self.send(request).await {
                Err(error) if error.is_unreachable() && tries < 3 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(300 * tries)).await;
                }
                other => return read(other?).await,
            }
        }
    }

    /// DELETE, as JSON; an empty answer is `null`.
    pub async fn delete(&self, path: &str) -> Result<Value, CliError> {
        let response = self.send(self.request(Method::DELETE, path)).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        read(response).await
    }

    /// Server-sent events from one connection: id and data.
    pub async fn events(
        &self,
        path: &str,
        after: &str,
        follow: bool,
    ) -> Result<impl Stream<Item = (String, Value)> + use<>, CliError> {
        use eventsource_stream::Eventsource as _;
        let request = self.request(Method::GET, &format!("{path}?follow={follow}")).header("last-event-id", after);
        let response = tokio::time::timeout(SILENCE, self.send(request)).await;
        let response = response.map_err(|_| CliError::unreachable(format!("{} is silent", self.local.server)))??;
        let stream = until_silent(response.bytes_stream()).eventsource();
        // A stream that breaks ends; whoever follows asks again with the last id.
        Ok(stream
            .take_while(|event| std::future::ready(event.is_ok()))
            .filter_map(|event| std::future::ready(event.ok()))
            .filter_map(|event| {
                std::future::ready(serde_json::from_str(&event.data).ok().map(|data| (event.id, data)))
            }))
    }
}

/// A stream that ends where it breaks, or says nothing for longer than a living server does.
fn until_silent<B>(
    stream: impl Stream<Item = reqwest::Result<B>>,
) -> impl Stream<Item = Result<B, std::convert::Infallible>> {
    futures::stream::unfold(Box::pin(stream), async |mut stream| {
        let next = tokio::time::timeout(SILENCE, stream.next()).await;
        next.ok().flatten()?.ok().map(|bytes| (Ok(bytes), stream))
    })
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, CliError> {
    let body = response.bytes().await.map_err(|error| {
        CliError::unreachable(format!("the answer broke off: {}", steading_core::report::chain(&error)))
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        CliError::new(Kind::Server, "answer-unreadable", format!("the answer cannot be read: {error}"))
            .hint("Check that client and server are of the same version.".to_owned())
    })
}

async fn problem(response: Response) -> CliError {
    let status = response.status();
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Auth,
        s if s.is_client_error() => Kind::User,
        _ => Kind::Server,
    };
    match response.json::<Problem>().await {
        Ok(Problem { code, message, hint }) => CliError::new(kind, &code, message).hint(hint),
        // Not our words: a proxy answers in the place of a server that is down or just restarts.
        Err(_) if GATEWAY.contains(&status) => CliError::unreachable(format!("a proxy answered {status}")),
        Err(_) => CliError::new(kind, "unexpected-answer", format!("the server answered {status}"))
            .hint("Check that the address is Steading's own, not a workspace's.".to_owned()),
    }
}
