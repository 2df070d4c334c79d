//! What people do in a browser, with Chromium; the scripts in `tests/browser` do the clicking.
//! `STEADING_SHOTS=FOLDER` keeps pictures of what they saw; `docs/*.png` are `pictures.mjs`' own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use steading_tests::settings::Settings;
use steading_tests::{World, engine};

/// Runs a script in a world; what it saw.
async fn visit(world: &World, script: &str, env: &[(&str, String)]) -> Value {
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let mut command = Command::new("node");
    command.arg(browser.join(script)).env("LINK", &world.steading.link).envs(env.iter().cloned());
    if let Ok(shots) = std::env::var("STEADING_SHOTS") {
        command.env("SHOTS", shots);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} broke off:\n{told}\n{}", world.steading.log());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A world, or nothing where no engine answers.
async fn world(settings: Settings) -> Option<World> {
    if !engine::answers() {
        eprintln!("skipped: no Docker Engine answers");
        return None;
    }
    Some(World::start_with(settings).await.unwrap())
}

/// Sign in, paste a URL, watch, VS Code and a typed command in its terminal, stop, start from its own address,
/// the edit is there, delete, nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn from_a_pasted_url_to_a_typed_command_and_back() {
    let Some(world) = world(Settings::default()).await else { return };
    let seen = visit(&world, "journey.mjs", &[("REPO", world.git.url("image"))]).await;
    // The remote user, with the uid that Steading gives, in the repository, with its history.
    assert_eq!(seen["typed"], "typed by vscode in /workspaces/image\n2");
    world.assert_nothing_left().unwrap();
}

/// A browser keeps at most six connections to one server.
#[tokio::test(flavor = "multi_thread")]
async fn eight_tabs_of_one_workspace_load() {
    let Some(world) = world(Settings::default()).await else { return };
    visit(&world, "tabs.mjs", &[("REPO", world.git.url("image"))]).await;
    world.assert_nothing_left().unwrap();
}

/// axe-core has nothing to say about any page, and nothing is too wide or too small for a phone.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_for_everybody() {
    let Some(world) = world(Settings::default()).await else { return };
    let env = [("RUNNING", "image"), ("FAILING", "broken-json"), ("SEVERAL", "two-configs")];
    let env = env.map(|(name, repository)| (name, world.git.url(repository)));
    visit(&world, "looks.mjs", &env).await;
    world.assert_nothing_left().unwrap();
}

/// The pictures of the README: `STEADING_SHOTS=$PWD/docs cargo nextest run -p steading-tests --run-ignored only pictures`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures, proves nothing"]
async fn pictures() {
    let mirrors = "mcr.microsoft.com/devcontainers/base=steading.test/base,git.example.com={git}";
    let Some(world) = world(Settings::default().env("STEADING_MIRRORS", mirrors)).await else { return };
    std::fs::remove_file(world.git.work("orchard").join("SECOND.md")).unwrap();
    world.git.push("orchard", "Plant plums").unwrap();
    let url = "http://git.example.com/git/orchard.git".to_owned();
    visit(&world, "pictures.mjs", &[("REPO", url)]).await;
    world.assert_nothing_left().unwrap();
}
