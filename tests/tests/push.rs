//! Work goes back to where it came from: what is committed in a workspace is pushed from inside it, with the
//! server's credentials where its administrator said so, and with nobody's where not.

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Settings, Workspace, World, eventually, git, journey};

const REPOSITORY: &str = "private-plain";
const COMMIT: &str = "echo mine > mine.txt && git add mine.txt && git commit --quiet --message Mine && \
                      git log -1 --format=%an";

/// The commit is there, but stays where it is.
async fn refused(world: &World, ws: &Workspace) -> Result<()> {
    let told = async || {
        let events = world.api().events(ws.id()).await.ok()?;
        events.into_iter().find(|event| event["detail"]["code"] == "git-push-needs-credentials")
    };
    let told = eventually(told).await.context("nobody says that a push needs credentials")?;
    ensure!(told["detail"]["hint"].as_str().is_some_and(|hint| hint.contains("in_workspaces = true")), "{told:#}");
    let (exit, said) = world.api().exec(ws.id(), "git push --quiet origin HEAD").await?;
    ensure!(exit != 0 && said.contains("could not read Username"), "a push ended with {exit}: {said}");
    ensure!(world.git.subjects(REPOSITORY)? == "Second\nFirst", "something was pushed");
    Ok(())
}

/// Whatever a program in the workspace looks at, beside asking the helper, it does not find the password.
async fn is_hidden(world: &World, ws: &Workspace) -> Result<()> {
    let everywhere = "cat .git/config ~/.gitconfig /etc/gitconfig 2>/dev/null; git remote -v; env; \
                      tr '\\0' '\\n' < /proc/1/environ; true";
    let (_, shown) = world.api().exec(ws.id(), everywhere).await?;
    let shown = shown + &world.api().log(ws.id()).await? + &ws.0.to_string() + &world.steading.log();
    let found = shown.lines().find(|line| line.contains(git::PASSWORD));
    ensure!(found.is_none(), "the password is shown: {found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_pushed_from_inside_where_that_is_allowed() -> Result<()> {
    let entry = "[source.credentials.\"{bridge}\"]\nusername = \"fox\"\npassword = \"{password}\"\nallow_http = true\n\
                 in_workspaces = false\n\n[git]\nuser_name = \"Ada\"\nuser_email = \"ada@example.com\"\n";
    // The git server is published on this machine, which workspaces do not reach otherwise.
    let settings = Settings::default().file(entry).env("STEADING_RUNTIME__ISOLATE_HOST", "false");
    journey(settings, async |world| {
        let api = world.api();
        let ws = world.run_source(&world.git.url_for_workspaces(REPOSITORY)).await?;
        world.says(&ws, COMMIT, "Ada").await?;
        refused(world, &ws).await.context("without permission")?;

        let file = world.data_dir().join("steading.toml");
        let allowed = std::fs::read_to_string(&file)?.replace("in_workspaces = false", "in_workspaces = true");
        std::fs::write(&file, allowed)?;
        world.steading.stop()?;
        world.steading.restart()?;
        api.change(ws.id(), "stop").await?;
        api.until(ws.id(), &["stopped"]).await?;
        api.change(ws.id(), "start").await?;
        let ws = api.until(ws.id(), &["running"]).await?;
        world.says(&ws, "git push --quiet origin HEAD && git status --short --branch", "## main...origin/main").await?;
        ensure!(world.git.subjects(REPOSITORY)? == "Mine\nSecond\nFirst", "{}", world.git.subjects(REPOSITORY)?);
        is_hidden(world, &ws).await?;

        // The next one begins with it, and may push at once.
        let next = world.run_source(&world.git.url_for_workspaces(REPOSITORY)).await?;
        world
            .says(&next, "cat mine.txt && git commit --quiet --allow-empty --message Next && git push --quiet", "mine")
            .await?;
        world.says(&ws, "git pull --quiet && git log -1 --format=%s", "Next").await?;
        // It is for this repository alone.
        let other = world.git.url_for_workspaces("private-other");
        let (exit, said) = api.exec(ws.id(), &format!("git ls-remote {other}")).await?;
        ensure!(exit != 0 && said.contains("could not read Username"), "{exit}: {said}");
        Ok(())
    })
    .await
}
