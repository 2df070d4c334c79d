//! The whole journey in Chromium: sign in, paste a URL, watch, VS Code and a typed command in its
//! terminal, stop, start, the edit is there, delete, nothing is left. `tests/browser/journey.mjs` does
//! the clicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use steading_tests::{World, engine};

#[tokio::test(flavor = "multi_thread")]
async fn from_a_pasted_url_to_a_typed_command_and_back() {
    if !engine::answers() {
        eprintln!("skipped: no Docker Engine answers");
        return;
    }
    let world = World::start().await.unwrap();
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let mut command = Command::new("node");
    command.arg(browser.join("journey.mjs")).env("LINK", &world.steading.link).env("REPO", world.git.url("image"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the journey broke off:\n{told}\n{}", world.steading.log());
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The remote user, with the uid that Steading gives, in the repository, with its history.
    assert_eq!(seen["typed"], "typed by vscode in /workspaces/image\n2");
    world.assert_nothing_left().unwrap();
}
