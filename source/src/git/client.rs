//! The one HTTP client for repositories: guarded addresses, time-outs, nobody's proxy, no redirects
//! that it follows by itself.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use reqwest::Method;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use steading_core::report;
use url::Url;

use super::guard::{Denied, Guard};
use super::pace::{self, LEAST, Pace};
use crate::error::GitError;

/// How often a host may send us on.
pub(crate) const MAX_REDIRECTS: usize = 5;

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

    /// What follows the head of an answer. It ends with an error when the host falls silent or sends
    /// next to nothing.
    pub fn body(
        &self,
        response: reqwest::Response,
        host: &str,
    ) -> impl Stream<Item = Result<Bytes, GitError>> + Send + use<> {
        let (client, host) = (self.clone(), host.to_owned());
        let pace = Pace::new(self.patience().0);
        let state = Some((Box::pin(response.bytes_stream()), pace));
        stream::unfold(state, move |state| {
            let (client, host) = (client.clone(), host.clone());
            async move {
                let (mut bytes, mut pace) = state?;
                let asked = Instant::now();
                match bytes.next().await? {
                    Ok(chunk) if pace.keeps_up(asked.elapsed(), chunk.len()) => Some((Ok(chunk), Some((bytes, pace)))),
                    Ok(_) => Some((Err(client.too_slow(&host)), None)),
                    Err(error) => Some((Err(client.judge(&error, &host)), None)),
                }
            }
        })
    }

    /// That a host sends next to nothing.
    pub fn too_slow(&self, host: &str) -> GitError {
        let seconds = pace::window(self.patience().0).as_secs();
        GitError::TooSlow { host: host.to_owned(), bytes: LEAST, seconds }
    }

    /// Where an answer sends us on to, if it does and we go there: over HTTP, and never from an
    /// encrypted connection to a plain one.
    pub fn next(&self, response: &reqwest::Response) -> Option<Url> {
        let from = response.url();
        let next = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
        may_follow(from, &next).then_some(next)
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

fn may_follow(from: &Url, to: &Url) -> bool {
    match to.scheme() {
        "https" => true,
        "http" => from.scheme() == "http",
        _ => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_leaves_the_encryption() {
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(may_follow(&url("http://a/x"), &url("https://a/x")));
        assert!(may_follow(&url("https://a/x"), &url("https://b/y")));
        assert!(!may_follow(&url("https://a/x"), &url("http://a/x")));
        assert!(!may_follow(&url("http://a/x"), &url("file:///etc/passwd")));
    }
}
