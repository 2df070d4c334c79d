//! What a browser does on its way into a workspace, without names that must resolve: every request goes
//! to the server's own address and carries the workspace's name as its host.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

/// Between two tries.
pub const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser that is signed in at a server.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
    /// `http://127.0.0.1:PORT`
    address: String,
    session: String,
}

/// A way into one host of a workspace.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `<label>.localhost:PORT`
    pub host: String,
    /// The cookie that opens it.
    pub cookie: String,
}

/// A client that follows nothing and keeps connections.
pub fn client() -> Result<Client> {
    Ok(Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?)
}

fn cookie(response: &Response) -> Option<String> {
    let header = response.headers().get(SET_COOKIE)?.to_str().ok()?;
    Some(header.split(';').next()?.to_owned())
}

impl Browser {
    /// Signs in with a token.
    pub async fn sign_in(client: &Client, address: &str, token: &str) -> Result<Self> {
        let response = client.post(format!("{address}/session")).json(&json!({ "token": token })).send().await?;
        let session = cookie(&response).with_context(|| format!("no session: {}", response.status()))?;
        Ok(Self { client: client.clone(), address: address.to_owned(), session })
    }

    /// Gets a ticket for a host label and trades it for the host's cookie.
    pub async fn enter(&self, label: &str) -> Result<Entry> {
        let ask = self.client.get(format!("{}/enter?host={label}&path=%2F", self.address));
        let sent = ask.header(COOKIE, &self.session).send().await?;
        let to = sent.headers().get(LOCATION).and_then(|l| l.to_str().ok()).unwrap_or_default().to_owned();
        let Some((host, path)) = to.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else {
            bail!("no ticket for {label}: {} {to}", sent.status());
        };
        let redeemed = self.client.get(format!("{}/{path}", self.address)).header(HOST, host).send().await?;
        let cookie = cookie(&redeemed).with_context(|| format!("the ticket opens nothing: {}", redeemed.status()))?;
        Ok(Entry { host: host.to_owned(), cookie })
    }

    /// Asks for the workbench until it is there: status 200 and VS Code's own page, no page of ours.
    pub async fn workbench(&self, entry: &Entry) -> Result<()> {
        let url = format!("{}/?folder=/", self.address);
        let request = || {
            self.client.get(&url).header(HOST, &entry.host).header(COOKIE, &entry.cookie).header("accept", "text/html")
        };
        until(request, is_workbench).await.with_context(|| format!("{} shows no workbench", entry.host))
    }
}

/// Asks until the answer is 200 and its body right.
pub async fn until(request: impl Fn() -> reqwest::RequestBuilder, is_right: impl Fn(&str) -> bool) -> Result<()> {
    let began = Instant::now();
    loop {
        let said = match request().send().await {
            Ok(answer) if answer.status() == StatusCode::OK => {
                let text = answer.text().await.unwrap_or_default();
                if is_right(&text) {
                    return Ok(());
                }
                text
            }
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.to_string(),
        };
        if began.elapsed() > PATIENCE {
            bail!("the last answer: {}", said.chars().take(300).collect::<String>());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a page is VS Code's workbench.
pub fn is_workbench(page: &str) -> bool {
    page.contains("vscode-workbench-web-configuration")
}
