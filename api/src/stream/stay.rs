//! Whether somebody who was let in may stay: a stream outlives the request that opened it.

use std::time::Duration;

use poem::Request;
use steading_core::WorkspaceId;
use steading_store::Feed;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::caller::{Caller, Permission};
use crate::problem::ApiError;

/// However quiet it is, so often everybody is asked again: credentials also end by themselves.
const TICK: Duration = Duration::from_secs(60);

/// Asks again what was asked at the door, with the same credential.
pub struct Stay {
    app: App,
    asked: Request,
    id: WorkspaceId,
    bell: Receiver<Feed>,
}

impl Stay {
    /// For somebody who may enter this workspace by this request.
    #[must_use]
    pub fn new(app: &App, request: &Request, id: WorkspaceId) -> Self {
        let mut asked = Request::builder().method(request.method().clone()).finish();
        *asked.headers_mut() = request.headers().clone();
        Self { app: app.clone(), asked, id, bell: app.store.feed().subscribe() }
    }

    /// Waits until they may do `P` no more; says why.
    pub async fn lost<P: Permission>(mut self) -> ApiError {
        loop {
            // At once, too: the credential may have ended since it was checked, before we listened.
            if let Err(error) = self.check::<P>().await {
                return error;
            }
            let _ = tokio::time::timeout(TICK, self.doubted()).await;
        }
    }

    /// While the database is silent, who is in stays in.
    async fn check<P: Permission>(&self) -> Result<(), ApiError> {
        let checked = async {
            let caller = Caller::authenticate(&self.app, &self.asked).await?;
            caller.may::<P>(&self.app, &self.id.to_string()).await.map(drop)
        };
        match checked.await {
            Err(error @ (ApiError::Unauthorized(_) | ApiError::Forbidden(_) | ApiError::NotFound(_))) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits until somebody may have lost a right.
    async fn doubted(&mut self) {
        loop {
            match self.bell.recv().await {
                Ok(Feed::Entries | Feed::Lost) | Err(RecvError::Lagged(_)) => return,
                Ok(_) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
