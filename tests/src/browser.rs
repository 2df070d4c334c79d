//! A browser as far as HTTP goes: cookies for each host, redirects, and the name in `Host` whatever the
//! resolver says about it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;

use crate::client::Workspace;
use crate::server::Steading;

/// So many redirects in a row are a circle.
const REDIRECTS: usize = 10;

/// Somebody with a browser.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    address: String,
    jar: Mutex<BTreeMap<(String, String), String>>,
}

impl Browser {
    /// Somebody whom the server has never seen.
    #[must_use]
    pub fn stranger(steading: &Steading) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self { http: http.unwrap_or_default(), address: steading.address.clone(), jar: Mutex::default() }
    }

    /// Somebody who follows the link that the server printed.
    ///
    /// # Errors
    /// When the link does not sign in.
    pub async fn signed_in(steading: &Steading) -> Result<Self> {
        let browser = Self::stranger(steading);
        browser.get(&steading.link).await?;
        let host = Url::parse(&steading.link)?.host_str().unwrap_or_default().to_owned();
        browser.cookie(&host).context("the link left no session")?;
        Ok(browser)
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `Cookie` header for a host.
    #[must_use]
    pub fn cookie(&self, host: &str) -> Option<String> {
        let jar = self.jar();
        let own = jar.iter().filter(|((of, _), _)| of == host).map(|((_, name), value)| format!("{name}={value}"));
        let all: Vec<String> = own.collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Puts a cookie of the page's own into the jar.
    pub fn set_cookie(&self, host: &str, name: &str, value: &str) {
        self.jar().insert((host.to_owned(), name.to_owned()), value.to_owned());
    }

    /// A request as the browser would send it; redirects are not followed.
    ///
    /// # Errors
    /// When the address is none.
    pub fn request(&self, method: Method, url: &str) -> Result<RequestBuilder> {
        let url = Url::parse(url)?;
        let host = url.host_str().context("the address has no host")?;
        let port = url.port_or_known_default().unwrap_or(80);
        let target = format!("{}{}", self.address, &url[url::Position::BeforePath..url::Position::AfterQuery]);
        let mut request = self.http.request(method, target).header(HOST, format!("{host}:{port}"));
        if let Some(cookie) = self.cookie(host) {
            request = request.header(COOKIE, cookie);
        }
        Ok(request)
    }

    /// Keeps the cookies of an answer.
    fn keep(&self, host: &str, response: &Response) {
        for cookie in response.headers().get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap_or_default();
            if let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.set_cookie(host, name.trim(), value.trim());
            }
        }
    }

    /// Opens a page, following redirects.
    ///
    /// # Errors
    /// When the server does not answer, or sends the browser round in a circle.
    pub async fn get(&self, url: &str) -> Result<Response> {
        let mut url = Url::parse(url)?;
        for _ in 0..REDIRECTS {
            let request = self.request(Method::GET, url.as_str())?.header("accept", "text/html,*/*");
            let response = request.send().await?;
            self.keep(url.host_str().unwrap_or_default(), &response);
            match response.headers().get(LOCATION) {
                Some(to) if response.status().is_redirection() => url = url.join(to.to_str()?)?,
                _ => return Ok(response),
            }
        }
        bail!("{url} redirects for ever")
    }

    /// Fails unless the page behind a workspace's address is VS Code's.
    ///
    /// # Errors
    /// When it is another page, or none.
    pub async fn sees_editor(&self, workspace: &Workspace) -> Result<()> {
        let (status, page) = self.page(workspace.url()).await?;
        ensure!(status.is_success() && page.contains("workbench"), "{}: {status}: {page}", workspace.url());
        Ok(())
    }

    /// Opens a page and reads it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn page(&self, url: &str) -> Result<(StatusCode, String)> {
        let response = self.get(url).await?;
        Ok((response.status(), response.text().await?))
    }
}
