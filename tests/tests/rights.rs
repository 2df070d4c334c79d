//! Rights that were taken away are gone: from a container by its configuration, and from whoever signed in with
//! a token that is not configured any more.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;
use steading_tests::{Api, Browser, Settings, Terminal, journey};

/// What `/proc/self/status` says of a process without any capability in reach.
const NONE: &str = "CapInh:0\nCapPrm:0\nCapEff:0\nCapBnd:0\nCapAmb:0";
const SHOW: &str = "grep ^Cap /proc/self/status | sed 's/\\t0*/0/'";

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_capabilities_opens() -> Result<()> {
    journey(Settings::default(), async |world| {
        let ws = world.run("hardened").await?;
        Browser::signed_in(&world.steading).await?.sees_editor(&ws).await?;
        world.says(&ws, "id -un; stat -c %U README.md", "vscode\nvscode").await?;
        world.says(&ws, SHOW, NONE).await?;
        world.comes_to_say(&ws, "sed 's/\\t0*/0/' ~/hook", "CapBnd:0").await?;
        // The editor, and all that people start in it.
        let bounds = "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' 2>/dev/null <$p/cmdline) in \
                      /opt/steading/ide/*) sed -n 's/^CapBnd:\\t0*/0/p' $p/status ;; esac; done | sort -u";
        world.says(&ws, bounds, "0").await?;
        let mut terminal = Terminal::open(&world.steading, ws.id()).await?;
        terminal.types("grep CapBnd /proc/self/status; exit\n").await?;
        terminal.shows("CapBnd:\t0000000000000000\r\n").await?;

        // Not even root becomes somebody else, or owns what is another's.
        let script = format!("{SHOW}; touch /tmp/mine; chown 1234 /tmp/mine; su vscode -c id; true");
        let body = json!({ "cmd": [script], "user": "0" });
        let said = world.api().ok(Method::POST, &format!("/workspaces/{}/exec", ws.id()), Some(body)).await?;
        ensure!(said["stdout"].as_str() == Some(&format!("{NONE}\n")), "{said:#}");
        let errors = said["stderr"].as_str().unwrap_or_default();
        ensure!(errors.contains("chown: ") && errors.contains("su: "), "{said:#}");

        // It is stopped and started as any other.
        let api = world.api();
        api.change(ws.id(), "stop").await?;
        api.until(ws.id(), &["stopped"]).await?;
        api.change(ws.id(), "start").await?;
        let ws = api.until(ws.id(), &["running"]).await?;
        world.says(&ws, SHOW, NONE).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configured_token_opened_ends_with_it() -> Result<()> {
    let configured = |token: &str| format!("[auth]\nadmin_token = \"{token}\"\n");
    journey(Settings::default().file(&configured("the first one")), async |world| {
        let base = world.steading.address.clone();
        let opened = reqwest::Client::new()
            .post(format!("{base}/session"))
            .json(&json!({ "token": "the first one" }))
            .send()
            .await?;
        let cookie = opened.headers()["set-cookie"].to_str()?.split(';').next().unwrap_or_default().to_owned();
        let with_cookie = async || {
            let request = reqwest::Client::new().get(format!("{base}/v1/me")).header("cookie", &cookie);
            anyhow::Ok(request.send().await?.status().as_u16())
        };
        let with_token = async |token: &str| {
            anyhow::Ok(Api::new(&base, Some(token)).call(Method::GET, "/me", None).await?.0.as_u16())
        };
        // A restart alone signs nobody out.
        world.steading.stop()?;
        world.steading.restart()?;
        ensure!((with_cookie().await?, with_token("the first one").await?) == (200, 200), "signed out by a restart");

        std::fs::write(world.data_dir().join("steading.toml"), configured("another"))?;
        world.steading.stop()?;
        world.steading.restart()?;
        let now = (with_cookie().await?, with_token("the first one").await?, with_token("another").await?);
        ensure!(now == (401, 401, 200), "the cookie, the old and the new token: {now:?}");
        Ok(())
    })
    .await
}
