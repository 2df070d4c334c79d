//! An engine that goes away and comes back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use steading_core::fault::Fault as _;
use steading_core::runtime::{Runtime as _, RuntimeEvent};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::world::World;

/// Stands between us and the engine, and can be cut.
struct Wire {
    path: PathBuf,
    up: Arc<watch::Sender<bool>>,
}

impl Wire {
    fn new(folder: &std::path::Path) -> Self {
        Self { path: folder.join("engine.sock"), up: Arc::new(watch::Sender::new(false)) }
    }

    fn mend(&self) {
        let _ = std::fs::remove_file(&self.path);
        let listener = UnixListener::bind(&self.path).unwrap();
        self.up.send_replace(true);
        let mut up = self.up.subscribe();
        let each = self.up.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = up.wait_for(|up| !up) => return,
                    accepted = listener.accept() => {
                        let (mut near, _) = accepted.unwrap();
                        let mut up = each.subscribe();
                        tokio::spawn(async move {
                            let mut far = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                            tokio::select! {
                                _ = up.wait_for(|up| !up) => {}
                                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                            }
                        });
                    }
                }
            }
        });
    }

    fn cut(&self) {
        self.up.send_replace(false);
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_may_be_away_at_first_and_later() {
    if !std::path::Path::new("/var/run/docker.sock").exists() {
        eprintln!("SKIPPED: no Docker Engine at the usual socket");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new(folder.path());
    let socket = format!("unix://{}", wire.path.display());
    let Some(world) = World::with(|config| config.runtime.docker_host = socket).await else { return };
    let trial = world.trial();
    let away = world.docker.observe(trial.id()).await.unwrap_err();
    assert_eq!(away.code(), "engine-unreachable");
    wire.mend();
    assert!(world.docker.observe(trial.id()).await.unwrap().is_absent());

    let mut events = world.docker.events();
    let mut next = async || tokio::time::timeout(Duration::from_secs(15), events.next()).await.unwrap().unwrap();
    world.docker.up(&trial.spec).await.unwrap();
    assert_eq!(next().await, RuntimeEvent::Changed(trial.id()));
    wire.cut();
    assert_eq!(world.docker.observe(trial.id()).await.unwrap_err().code(), "engine-unreachable");
    world.engine.kill_container(&world.container(&trial.spec), None).await.unwrap();
    wire.mend();
    assert_eq!(next().await, RuntimeEvent::Lost);
    world.docker.up(&trial.spec).await.unwrap();
    assert_eq!(next().await, RuntimeEvent::Changed(trial.id()));
    // The last act of the test is done through the wire, too.
    world.docker.remove(trial.id()).await.unwrap();
    world.docker.uninstall().await.unwrap();
}
