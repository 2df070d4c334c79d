//! Everything durable: records, leases, events, sign-ins, logs and the job queue.
//!
//! [`Store`] opens all of it and hands out one small repository for each concern. SQLite and Postgres,
//! the queue in a file and the one in Redis, run the same code.

use std::sync::Arc;

use steading_core::config::Config;
use steading_core::queue::Queue;
use steading_core::routes::Routes;
use steading_core::{UserId, ticket};
use tokio::sync::Notify;

mod connect;
mod error;
mod events;
mod feed;
mod idempotency;
mod inquiries;
mod leases;
mod links;
mod logs;
mod migrations;
mod ports;
mod prebuilds;
mod prune;
mod queue;
mod routes;
mod rows;
mod sessions;
mod settings;
mod tickets;
mod tokens;
mod users;
mod workspaces;

use connect::Database;
pub use error::{BEING_DELETED, BoxError, ID_TAKEN, SLUG_TAKEN, StoreError};
pub use events::Events;
pub use feed::{Bell, Feed};
pub use idempotency::{Begun, Claim, Idempotency, KEPT as KEY_KEPT};
pub use inquiries::{Inquiries, Waited};
pub use leases::{Lease, Leases};
pub use links::Links;
pub use logs::{Follower, LogStore, Logs};
pub use ports::Ports;
pub use prebuilds::Prebuilds;
pub use queue::{Jobs, Turn};
pub use sessions::Sessions;
pub use tickets::Tickets;
pub use tokens::{Token, Tokens};
pub use users::{User, Users};
pub use workspaces::{ListQuery, Page, Summary, Workspaces};

/// Everything durable. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    bell: Bell,
    queue: Arc<queue::Ringer>,
    logs: Logs,
    installation: String,
    admin: UserId,
    admin_token: Option<String>,
    /// Some inquiry or request was answered by this process.
    answered: Notify,
}

/// So much of a hash tells one configured token from another, and too little to try words on: people choose
/// such tokens.
const MARK: usize = 8;

impl Inner {
    /// What marks everything that the configured token opens; `None` without one.
    fn configured(&self) -> Option<String> {
        Some(self.admin_token.as_ref()?.chars().take(MARK).collect())
    }
}

impl Store {
    /// Opens database, queue and logs as configured, and brings the tables up to date.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        tokio::fs::create_dir_all(&config.server.data_dir).await?;
        let database = Database::open(config).await?;
        let fresh = || uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let installation = settings::once(&database, "installation", fresh).await?;
        let admin = users::admin(&database).await?;
        let admin_token = config.auth.admin_token.reveal();
        let inner = Inner {
            bell: Bell::new(),
            queue: Arc::new(queue::Ringer::open(config, &installation).await?),
            logs: Logs::files(config.server.data_dir.join("logs")),
            installation,
            admin,
            admin_token: (!admin_token.is_empty()).then(|| ticket::hash(admin_token)),
            answered: Notify::new(),
            database,
        };
        let store = Self { inner: Arc::new(inner) };
        let newest = feed::newest(&store.inner.database).await?;
        tokio::spawn(feed::tail(Arc::downgrade(&store.inner), newest));
        tokio::spawn(prune::regularly(Arc::downgrade(&store.inner), prune::EVERY));
        Ok(store)
    }

    /// The installation's id, 8 hexadecimal digits: made once, and on everything it creates, so that two
    /// installations on one container engine never meet.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.inner.installation
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.inner.database.reader.ping().await?)
    }

    /// The records of workspaces.
    #[must_use]
    pub const fn workspaces(&self) -> Workspaces<'_> {
        Workspaces { store: self }
    }

    /// Who may write which workspace.
    #[must_use]
    pub const fn leases(&self) -> Leases<'_> {
        Leases { store: self }
    }

    /// What happened.
    #[must_use]
    pub const fn events(&self) -> Events<'_> {
        Events { store: self }
    }

    /// What changes, as it happens.
    #[must_use]
    pub fn feed(&self) -> &Bell {
        &self.inner.bell
    }

    /// The output of steps.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.inner.logs
    }

    /// People.
    #[must_use]
    pub const fn users(&self) -> Users<'_> {
        Users { store: self }
    }

    /// Browsers that are signed in.
    #[must_use]
    pub const fn sessions(&self) -> Sessions<'_> {
        Sessions { store: self }
    }

    /// API tokens.
    #[must_use]
    pub const fn tokens(&self) -> Tokens<'_> {
        Tokens { store: self }
    }

    /// One-time sign-in links.
    #[must_use]
    pub const fn links(&self) -> Links<'_> {
        Links { store: self }
    }

    /// Entry to workspace hosts.
    #[must_use]
    pub const fn tickets(&self) -> Tickets<'_> {
        Tickets { store: self }
    }

    /// Answers that were given.
    #[must_use]
    pub const fn idempotency(&self) -> Idempotency<'_> {
        Idempotency { store: self }
    }

    /// Images made ahead.
    #[must_use]
    pub const fn prebuilds(&self) -> Prebuilds<'_> {
        Prebuilds { store: self }
    }

    /// Questions that wait for their answers.
    #[must_use]
    pub const fn inquiries(&self) -> Inquiries<'_> {
        Inquiries { store: self }
    }

    /// Who may see which port.
    #[must_use]
    pub const fn ports(&self) -> Ports<'_> {
        Ports { store: self }
    }

    /// The bell that rings workers.
    #[must_use]
    pub fn queue(&self) -> Arc<dyn Queue> {
        self.inner.queue.clone()
    }

    /// The other end of the bell: hears the rings and has at most `concurrency` jobs at
    /// work at once, beside those that wait for something.
    #[must_use]
    pub fn jobs(&self, concurrency: usize) -> Jobs {
        Jobs::new(self.inner.queue.clone(), concurrency)
    }

    /// What the gateway asks.
    #[must_use]
    pub fn routes(&self) -> Arc<dyn Routes> {
        Arc::new(routes::StoredRoutes { store: self.clone() })
    }
}
