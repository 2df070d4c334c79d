//! A data folder whose disk is full: what cannot be written is refused with a reason, and nothing is lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use steading_core::Fault as _;
use steading_core::config::Config;
use steading_store::{Store, StoreError};
use tempfile::TempDir;

use crate::world::workspace;

/// A small disk of its own.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// `None`, and a word about it, where nobody may mount one.
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { folder }),
            other => {
                eprintln!("SKIPPED: no disk can be mounted here: {other:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes what is left of it.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let full = std::io::copy(&mut std::io::repeat(7), &mut file).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_records_and_keeps_what_is_there() {
    let Some(disk) = Disk::new("8m") else { return };
    let mut config = Config::default();
    config.server.data_dir = disk.path().to_owned();
    let store = Store::open(&config).await.unwrap();
    let first = workspace(store.users().admin());
    store.workspaces().insert(&first).await.unwrap();
    let log = store.logs().sink(first.id);
    log.write("build", "before");
    store.logs().flush(first.id).await.unwrap();

    let filler = disk.fill();
    log.write("build", &"meanwhile\n".repeat(500));
    let mut made = Vec::new();
    // What the database has already taken of the disk holds a few more.
    let refused = loop {
        assert!(made.len() < 10_000, "nothing is refused");
        let ws = workspace(store.users().admin());
        match store.workspaces().insert(&ws).await {
            Ok(()) => made.push(ws.id),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), "disk-full", "{refused:?}");
    assert!(refused.hint().unwrap().contains("Free space"), "{refused:?}");
    assert_eq!(store.workspaces().load(first.id).await.unwrap().slug, first.slug, "reading needs no space");

    std::fs::remove_file(filler).unwrap();
    let last = workspace(store.users().admin());
    store.workspaces().insert(&last).await.unwrap();
    // What the disk ended is over: neither a refusal nor what comes after it is left in the air.
    assert!(matches!(store.workspaces().insert(&last).await, Err(StoreError::Conflict(_))));
    let later = workspace(store.users().admin());
    store.workspaces().insert(&later).await.unwrap();
    for id in made.into_iter().chain([first.id, last.id, later.id]) {
        store.workspaces().load(id).await.unwrap();
    }
    store.logs().flush(first.id).await.unwrap();
    let lines = store.logs().read(first.id, 0, 10_000).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.text == "meanwhile").count(), 500, "output is lost, or there twice");
}
