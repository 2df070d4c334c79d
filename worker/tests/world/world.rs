//! A worker on the runtime in memory, with a database and repositories in a temporary folder.

#![allow(dead_code, reason = "each test uses its own part of the world")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use steading_core::config::Config;
use steading_core::event::EventKind;
use steading_core::runtime::{Runtime, RuntimeId};
use steading_core::workspace::{Generation, Wishes};
use steading_core::{Desired, Facts, Owner, Phase, Slug, Source, UserId, Workspace, WorkspaceId};
use steading_runtime::fake::{Fake, Op};
use steading_store::Store;
use steading_worker::{Rest, Worker};
use tempfile::TempDir;

#[path = "helper.rs"]
mod helper;

pub use helper::Helper;

pub struct World {
    pub folder: TempDir,
    pub config: Arc<Config>,
    pub store: Store,
    pub fake: Fake,
    pub worker: Worker,
    pub helper: Arc<Mutex<Helper>>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().join("data");
        config.worker.lease_seconds = 1;
        config.workspace.default_image = "universal".to_owned();
        change(&mut config);
        let config = Arc::new(config);
        let store = Store::open(&config).await.unwrap();
        let fake = Fake::new();
        let helper = helper::install(&fake);
        let runtime: Arc<dyn Runtime> = Arc::new(fake.clone());
        let worker = Worker::new(config.clone(), store.clone(), runtime).unwrap();
        Self { folder, config, store, fake, worker, helper }
    }

    /// The same world seen by another process of the same installation.
    pub fn another_worker(&self) -> Worker {
        Worker::new(self.config.clone(), self.store.clone(), Arc::new(self.fake.clone())).unwrap()
    }

    /// A repository with one commit of these files.
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        for (file, content) in files {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        git(&path, &["add", "--all"]);
        git(&path, &["commit", "--quiet", "--allow-empty", "--message=first"]);
        path
    }

    /// A repository with this devcontainer.json.
    pub fn configured(&self, name: &str, configuration: &str) -> PathBuf {
        self.repository(name, &[(".devcontainer/devcontainer.json", configuration), ("README.md", "# hello\n")])
    }

    /// A new workspace from a repository of this machine.
    pub async fn workspace(&self, repository: &std::path::Path) -> WorkspaceId {
        self.workspace_from(repository.to_str().unwrap()).await
    }

    pub async fn workspace_from(&self, source: &str) -> WorkspaceId {
        let ws = Workspace {
            id: WorkspaceId::new(),
            slug: Slug::random(),
            owner: Owner::User(UserId::new()),
            source: Source::parse(source, true).unwrap(),
            wishes: Wishes::default(),
            runtime: RuntimeId::default(),
            desired: Desired::Running,
            generation: Generation::default(),
            rebuilds: 0,
            spec: None,
            phase: Phase::Pending,
            facts: Facts::default(),
            failure: None,
            warnings: Vec::new(),
            retry: None,
            limits: self.config.limits(),
            entered_at: None,
            created_at: Utc::now(),
            updated_at: Utc::now(),
        };
        self.store.workspaces().insert(&ws).await.unwrap();
        ws.id
    }

    pub async fn load(&self, id: WorkspaceId) -> Workspace {
        self.store.workspaces().load(id).await.unwrap()
    }

    /// Drives until the workspace settles, retries included.
    pub async fn settle(&self, id: WorkspaceId) -> Rest {
        self.settle_by(&self.worker, id).await
    }

    pub async fn settle_by(&self, worker: &Worker, id: WorkspaceId) -> Rest {
        // Who is told that another drives has rung for it: asking all the time would keep it driving.
        let mut pause = Duration::from_millis(2);
        for _ in 0..2000 {
            match worker.drive(id).await.unwrap() {
                Rest::Waiting(wait) => tokio::time::sleep(wait).await,
                // A lease whose holder died runs out; or there is no such workspace any more.
                Rest::Busy if self.store.workspaces().load(id).await.is_ok() => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Rest::Busy => return Rest::Gone,
                rest => return rest,
            }
        }
        panic!("it does not settle: {:#?}", self.load(id).await);
    }

    /// The story so far, in short lines without what differs from run to run.
    pub async fn story(&self, id: WorkspaceId) -> Vec<String> {
        let events = self.store.events().since(Some(id), 0, 1000).await.unwrap();
        events.into_iter().map(|event| line(&event.kind)).collect()
    }

    /// Text of one stream of the log.
    pub async fn log(&self, id: WorkspaceId, stream: &str) -> Vec<String> {
        self.store.logs().flush(id).await.unwrap();
        let lines = self.store.logs().read(id, 0, 10_000).await.unwrap();
        lines.into_iter().filter(|line| line.stream == stream).map(|line| line.text).collect()
    }

    /// The hooks of a workspace that ran.
    pub fn hooks(&self, id: WorkspaceId) -> Vec<String> {
        let helper = self.helper.lock().unwrap();
        helper.commands.iter().filter(|(of, _)| *of == id).map(|(_, command)| command.clone()).collect()
    }

    pub fn calls(&self, op: Op) -> u64 {
        self.fake.calls(op)
    }
}

pub fn git(folder: &std::path::Path, words: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn line(kind: &EventKind) -> String {
    match kind {
        EventKind::Created => "created".to_owned(),
        EventKind::Wanted { desired, rebuild } => format!("wanted {desired:?} rebuild={rebuild}"),
        EventKind::Phase { phase } => format!("phase {phase}"),
        EventKind::Resolved { kind, because, .. } => format!("resolved {kind}: {because}"),
        EventKind::Diagnostic { severity, code, .. } => format!("{severity} {code}"),
        EventKind::HookStarted { stage, origin, command } => format!("{stage} of {origin}: {command}"),
        EventKind::HookFinished { stage, exit } => format!("{stage} ended with {exit}"),
        EventKind::Retrying { step, attempt, .. } => format!("{step} failed for the {attempt}. time"),
        EventKind::Warned { failure } => format!("warned {}: {}", failure.code, failure.message),
        EventKind::Failed { failure } => format!("failed {}: {}", failure.code, failure.message),
        EventKind::Died { exit, oom } => format!("died with {exit:?} oom={oom}"),
        EventKind::Notice { code, .. } => format!("notice {code}"),
    }
}
