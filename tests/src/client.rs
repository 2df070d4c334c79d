//! The API as a program uses it: plain HTTP and JSON.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A workspace as the API shows it.
#[derive(Debug, Clone)]
pub struct Workspace(pub Value);

impl Workspace {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// `ws_…`
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Its readable name.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.text("slug")
    }

    /// Where it is.
    #[must_use]
    pub fn phase(&self) -> &str {
        self.text("phase")
    }

    /// The address of its editor.
    #[must_use]
    pub fn url(&self) -> &str {
        self.text("url")
    }

    /// The address of one of its ports.
    #[must_use]
    pub fn port_url(&self, port: u16) -> String {
        self.url().replacen("://", &format!("://{port}-"), 1)
    }

    /// The code of its failure; empty without one.
    #[must_use]
    pub fn failure(&self) -> &str {
        self.0["failure"]["code"].as_str().unwrap_or_default()
    }
}

impl Api {
    /// A client of a server; without a token it is a stranger.
    #[must_use]
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self { http: http.unwrap_or_default(), base: base.to_owned(), token: token.map(str::to_owned) }
    }

    /// A request to a path under `/v1`, with the token if there is one.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/v1{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Status and body of a call.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// The body of a call that must succeed.
    pub async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, value) = self.call(method.clone(), path, body).await?;
        if !status.is_success() {
            bail!("{method} {path}: {status}: {value:#}");
        }
        Ok(value)
    }

    /// Makes a workspace.
    pub async fn create(&self, source: &str) -> Result<Workspace> {
        Ok(Workspace(self.ok(Method::POST, "/workspaces", Some(json!({ "source": source }))).await?))
    }

    /// Shows a workspace; `None` if it is gone.
    pub async fn show(&self, name: &str) -> Result<Option<Workspace>> {
        let (status, value) = self.call(Method::GET, &format!("/workspaces/{name}"), None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            s if s.is_success() => Ok(Some(Workspace(value))),
            s => bail!("show {name}: {s}: {value:#}"),
        }
    }

    /// Start, stop or rebuild.
    pub async fn change(&self, name: &str, verb: &str) -> Result<Workspace> {
        Ok(Workspace(self.ok(Method::POST, &format!("/workspaces/{name}/{verb}"), None).await?))
    }

    /// Every workspace there is.
    pub async fn list(&self) -> Result<Vec<Workspace>> {
        let list = self.ok(Method::GET, "/workspaces?per_page=200&all=true", None).await?;
        Ok(list["items"].as_array().into_iter().flatten().cloned().map(Workspace).collect())
    }

    /// Deletes, and does not wait.
    pub async fn delete_soon(&self, name: &str) -> Result<()> {
        self.ok(Method::DELETE, &format!("/workspaces/{name}"), None).await.map(drop)
    }

    /// Deletes, and waits until it is gone.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.delete_soon(name).await?;
        self.gone(name).await
    }

    /// Waits until a workspace is gone.
    pub async fn gone(&self, name: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        while let Some(workspace) = self.show(name).await? {
            if Instant::now() > deadline {
                bail!("{name} was not deleted: {:#}", workspace.0);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits until a workspace is in one of these phases.
    pub async fn until(&self, name: &str, phases: &[&str]) -> Result<Workspace> {
        let deadline = Instant::now() + Duration::from_secs(180);
        loop {
            let workspace = self.show(name).await?.with_context(|| format!("{name} is gone"))?;
            if phases.contains(&workspace.phase()) {
                return Ok(workspace);
            }
            let stuck = workspace.phase() == "failed" && !phases.contains(&"failed");
            if stuck || Instant::now() > deadline {
                bail!("{name} did not become {phases:?}: {:#}\n{}", workspace.0, self.log(name).await?);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a shell command in a workspace; exit code and output.
    pub async fn exec(&self, name: &str, script: &str) -> Result<(i64, String)> {
        let body = json!({ "cmd": [script] });
        let value = self.ok(Method::POST, &format!("/workspaces/{name}/exec"), Some(body)).await?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Ok((value["exit_code"].as_i64().unwrap_or(-1), text("stdout") + &text("stderr")))
    }

    /// Everything in a workspace's log so far, a line each: `[stream] text`.
    pub async fn log(&self, name: &str) -> Result<String> {
        let lines = self.stream(&format!("/workspaces/{name}/logs?follow=false")).await?;
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        Ok(lines.iter().map(|l| format!("[{}] {}\n", text(l, "stream"), text(l, "text"))).collect())
    }

    /// A workspace's story so far.
    pub async fn events(&self, name: &str) -> Result<Vec<Value>> {
        self.stream(&format!("/workspaces/{name}/events?follow=false")).await
    }

    async fn stream(&self, path: &str) -> Result<Vec<Value>> {
        let body = self.request(Method::GET, path).send().await?.error_for_status()?.text().await?;
        let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
        Ok(data.map(|json| serde_json::from_str(json.trim())).collect::<Result<_, _>>()?)
    }
}
