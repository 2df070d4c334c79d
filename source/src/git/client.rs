//! The one HTTP client for repositories: guarded addresses, time-outs, nobody's proxy, no redirects
//! that it follows by itself.

use std::time::Duration;

use reqwest::Method;
use reqwest::redirect::Policy;
use steading_core::report;
use url::Url;

use super::guard::{Denied, Guard};
use crate::error::GitError;

/// Cheap to clone; connections are shared and kept.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    guard: Guard,
    seconds: u32,
}

impl Client {
    /// A client that waits `seconds` for a silent host.
    pub fn new(guard: Guard, seconds: u32) -> Result<Self, GitError> {
        // The first to install a provider wins, and any will do.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let patience = Duration::from_secs(u64::from(seconds.max(1)));
        let http = reqwest::Client::builder()
            .dns_resolver(std::sync::Arc::new(guard.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(patience)
            .read_timeout(patience)
            .pool_max_idle_per_host(4)
            .build()
            .map_err(|error| GitError::Disk(std::io::Error::other(error)))?;
        Ok(Self { http, guard, seconds })
    }

    /// How long a silent host is waited for.
    pub fn patience(&self) -> (Duration, u32) {
        (Duration::from_secs(u64::from(self.seconds.max(1))), self.seconds)
    }

    /// Who decides about addresses.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// A request to a URL whose address is allowed.
    pub fn request(&self, method: Method, url: &Url, host: &str) -> Result<reqwest::RequestBuilder, GitError> {
        self.guard.check(url).map_err(|Denied| GitError::Forbidden { host: host.to_owned() })?;
        Ok(self.http.request(method, url.clone()))
    }

    /// Sends it and waits for the head of the answer.
    pub async fn send(&self, request: reqwest::RequestBuilder, host: &str) -> Result<reqwest::Response, GitError> {
        request.send().await.map_err(|error| self.judge(&error, host))
    }

    /// What an error of the network means. URLs are left out of it: they may hold secrets.
    pub fn judge(&self, error: &reqwest::Error, host: &str) -> GitError {
        let host = host.to_owned();
        if is_denied(error) {
            return GitError::Forbidden { host };
        }
        if error.is_timeout() {
            return GitError::Timeout { host, seconds: self.seconds };
        }
        let reason = innermost(error);
        if error.is_connect() { GitError::Unreachable { host, reason } } else { GitError::Remote { host, reason } }
    }
}

fn is_denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Denied>() {
            return true;
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.get_ref().is_some_and(|inner| inner.is::<Denied>())
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The cause that says most; the outer ones name libraries and URLs.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    report::chain(cause)
}
