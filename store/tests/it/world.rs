//! A store in a folder or database of its own.

use std::path::PathBuf;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::json;
use steading_core::config::Config;
use steading_core::workspace::{Generation, Limits, Wishes};
use steading_core::{Desired, Facts, Owner, Phase, Secret, Slug, Source, UserId, Workspace, WorkspaceId};
use steading_store::Store;
use tempfile::TempDir;

pub struct World {
    pub store: Store,
    pub config: Config,
    database: Option<(String, String)>,
    _folder: TempDir,
}

fn config(folder: &TempDir) -> Config {
    let mut config = Config::default();
    config.server.data_dir = folder.path().to_path_buf();
    config
}

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        Self { store: Store::open(&config).await.unwrap(), config, database: None, _folder: folder }
    }

    pub async fn postgres() -> Option<Self> {
        let server = variable("STEADING_TEST_POSTGRES_URL")?;
        let name = format!("steading_test_{}", WorkspaceId::new().uuid().simple());
        let admin = Database::connect(&server).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.database.url = Secret::new(format!("{base}/{name}"));
        let store = Store::open(&config).await.unwrap();
        Some(Self { store, config, database: Some((server, name)), _folder: folder })
    }

    /// SQLite for records, Redis for the queue.
    pub async fn redis() -> Option<Self> {
        let url = variable("STEADING_TEST_REDIS_URL")?;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.queue.url = Secret::new(url);
        Some(Self { store: Store::open(&config).await.unwrap(), config, database: None, _folder: folder })
    }

    /// What another process of the same installation has.
    pub async fn another(&self) -> Store {
        Store::open(&self.config).await.unwrap()
    }

    pub fn folder(&self) -> PathBuf {
        self.config.server.data_dir.clone()
    }

    /// A connection behind the store's back.
    pub async fn database(&self) -> DatabaseConnection {
        let url = self.config.database.url.reveal();
        let file = format!("sqlite://{}", self.folder().join("steading.db").display());
        Database::connect(if url.is_empty() { &file } else { url }).await.unwrap()
    }

    pub async fn execute(&self, sql: &str) {
        let database = self.database().await;
        database.execute_unprepared(sql).await.unwrap();
        database.close().await.unwrap();
    }

    pub async fn insert(&self) -> Workspace {
        let ws = workspace(self.store.users().admin());
        self.store.workspaces().insert(&ws).await.unwrap();
        ws
    }

    /// Leaves nothing behind.
    pub async fn end(self) {
        if let Some((server, name)) = self.database {
            let admin = Database::connect(&server).await.unwrap();
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        }
        let redis = self.config.queue.url.reveal();
        if !redis.is_empty() {
            let mut connection = redis::Client::open(redis.as_str()).unwrap().get_connection().unwrap();
            let pattern = format!("steading:{}:*", self.store.installation());
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).unwrap();
            for key in keys {
                redis::cmd("DEL").arg(key).query::<()>(&mut connection).unwrap();
            }
        }
    }
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        println!("skipped: {name} is not set");
    }
    value
}

pub fn source() -> Source {
    let url = "https://someone:hunter2@git.example.com/team/project.git";
    let git = json!({"kind": "git", "url": url, "reference": {"kind": "head"}, "path": null});
    serde_json::from_value(git).unwrap()
}

/// A workspace as the API makes it.
pub fn workspace(owner: UserId) -> Workspace {
    // The database keeps microseconds.
    let now = chrono::DateTime::from_timestamp_micros(chrono::Utc::now().timestamp_micros()).unwrap();
    Workspace {
        id: WorkspaceId::new(),
        slug: Slug::random(),
        owner: Owner::User(owner),
        source: source(),
        wishes: Wishes::default(),
        runtime: Default::default(),
        desired: Desired::Running,
        generation: Generation(1),
        rebuilds: 0,
        spec: None,
        phase: Phase::Pending,
        facts: Facts::default(),
        failure: None,
        warnings: Vec::new(),
        retry: None,
        limits: Limits::default(),
        entered_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// Runs each body on SQLite and on Postgres.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = $crate::world::World::sqlite().await;
                super::$name(&world).await;
                world.end().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(world) = $crate::world::World::postgres().await else { return };
                super::$name(&world).await;
                world.end().await;
            })+
        }
    };
}

/// Runs each body with the queue in a file and in Redis.
macro_rules! on_each_queue {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = $crate::world::World::sqlite().await;
                super::$name(&world).await;
                world.end().await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(world) = $crate::world::World::redis().await else { return };
                super::$name(&world).await;
                world.end().await;
            })+
        }
    };
}
