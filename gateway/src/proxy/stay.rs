//! Whether somebody who was let in may stay: a tunnel outlives the request that opened it.

use std::sync::Arc;

use http::header::{COOKIE, HeaderMap};
use steading_core::route::Host;
use tokio::sync::watch;

use super::admit::{Verdict, admit};
use crate::directory::Directory;

/// Asks again what was asked at the door, with the same cookies.
pub struct Stay {
    directory: Arc<Directory>,
    host: Host,
    label: String,
    cookies: HeaderMap,
    revoked: watch::Receiver<()>,
}

impl Stay {
    pub fn new(directory: &Arc<Directory>, host: &Host, label: &str, headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter().map(|value| (COOKIE, value.clone())).collect();
        Self {
            revoked: directory.revoked(),
            directory: Arc::clone(directory),
            host: host.clone(),
            label: label.to_owned(),
            cookies,
        }
    }

    /// Waits until somebody may have lost a right.
    pub async fn doubted(&mut self) {
        if self.revoked.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// While the database is silent, who is in stays in.
    pub async fn is_allowed(&self) -> bool {
        let verdict = admit(&self.directory, &self.host, &self.label, &self.cookies).await;
        !matches!(verdict, Ok(Verdict::SignIn | Verdict::Hide))
    }
}
