//! The main job by the API, on a real engine: each kind of repository becomes a workspace that works.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use steading_tests::{Browser, Settings, Workspace, World, engine, eventually, git, journey};

/// From a URL to a deleted workspace, with everything in between.
async fn plain(world: &World, browser: &Browser) -> Result<()> {
    let api = world.api();
    let made = api.create(&world.git.url("plain")).await?;
    ensure!(made.url().contains(made.slug()), "{:#}", made.0);
    let ws = api.until(made.id(), &["running"]).await?;
    ensure!(ws.0["resolution"]["kind"] == "template", "{:#}", ws.0);
    browser.sees_editor(&ws).await?;

    world.says(&ws, "pwd", "/workspaces/plain").await?;
    world.says(&ws, "git log --format=%s", "Second\nFirst").await?;
    world.says(&ws, "git status --porcelain", "").await?;
    world.says(&ws, "git branch --show-current", "main").await?;
    world.says(&ws, "git remote get-url origin", &world.git.url("plain")).await?;
    world.says(&ws, "cat SECOND.md", "A second commit.").await?;
    world.says(&ws, "git rev-list --count origin/feature/old", "1").await?;

    world.says(&ws, "echo mine > mine.txt && echo more >> README.md", "").await?;
    let before = world.container(ws.id())?;
    api.change(ws.id(), "stop").await?;
    api.until(ws.id(), &["stopped"]).await?;
    let (_, page) = browser.page(ws.url()).await?;
    ensure!(page.contains("stopped") && page.contains("start=1"), "a stopped workspace shows {page}");
    api.change(ws.id(), "start").await?;
    let ws = api.until(ws.id(), &["running"]).await?;
    browser.sees_editor(&ws).await?;
    ensure!(world.container(ws.id())? == before, "the container was replaced by a start");
    world.says(&ws, "cat mine.txt && tail -1 README.md", "mine\nmore").await?;

    api.change(ws.id(), "rebuild").await?;
    let ws = api.until(ws.id(), &["running"]).await?;
    ensure!(world.container(ws.id())? != before, "the container was not replaced by a rebuild");
    world.says(&ws, "git status --porcelain", " M README.md\n?? mine.txt").await?;
    browser.sees_editor(&ws).await?;

    api.delete(ws.id()).await?;
    let filter = format!("label=dev.steading/workspace={}", ws.id());
    ensure!(engine::docker(&["ps", "--all", "--quiet", "--filter", &filter])?.is_empty(), "a container is left");
    ensure!(engine::docker(&["volume", "ls", "--quiet", "--filter", &filter])?.is_empty(), "a volume is left");
    let (_, page) = browser.page(ws.url()).await?;
    ensure!(!page.contains("workbench"), "a deleted workspace still answers");
    Ok(())
}

/// An image, a user whose uid is changed, variables, ports, settings.
async fn image(world: &World, browser: &Browser) -> Result<()> {
    let ws = world.run("image").await?;
    browser.sees_editor(&ws).await?;
    world.says(&ws, "id -un; id -u; id -g", "vscode\n1000\n1000").await?;
    world.says(&ws, "git status --porcelain && git log --format=%s", "Second\nFirst").await?;
    world.says(&ws, "stat -c %U README.md ~ .git/HEAD", "vscode\nvscode\nvscode").await?;
    world
        .says(&ws, "touch new && rm new && echo $PLACE $GREETING", "/workspaces/image hello /workspaces/image")
        .await?;
    let (_, id) = world.api().exec(ws.id(), "printf %s $ID").await?;
    ensure!(id.len() == 52, "devcontainerId is {id:?}");
    let seeded = "find / -path '*/Machine/settings.json' -exec cat {} + 2>/dev/null | tr -d ' \\n'";
    world.says(&ws, seeded, r#"{"editor.rulers":[77]}"#).await?;
    let ports = world.api().ok(Method::GET, &format!("/workspaces/{}/ports", ws.id()), None).await?;
    let text = ports.to_string();
    ensure!(text.contains("3000") && text.contains("Web"), "{ports:#}");
    // The IDE runs as the same user.
    world.says(&ws, "ls -dn $(find / -path '*/Machine/settings.json' 2>/dev/null) | awk '{print $3}'", "1000").await
}

async fn dockerfile(world: &World, browser: &Browser) -> Result<()> {
    let ws = world.run("dockerfile").await?;
    world.says(&ws, "cat /greeting.txt", "from the context\nbuilt with barn").await?;
    world.says(&ws, "id -un", "vscode").await?;
    browser.sees_editor(&ws).await?;
    let log = world.api().log(ws.id()).await?;
    ensure!(log.contains("[build]") && log.contains("COPY greeting.txt"), "the build left no log:\n{log}");
    Ok(())
}

/// All forms of hooks, in order, each once; postStart again after a restart.
async fn hooks(world: &World, browser: &Browser) -> Result<()> {
    let api = world.api();
    let ws = world.run("hooks").await?;
    browser.sees_editor(&ws).await?;
    world.comes_to_say(&ws, "wc -l < ~/order", "3").await?;
    world.says(&ws, "cat ~/order", "onCreate\nupdateContent\npostStart").await?;
    world.says(&ws, "sort ~/parallel", "one\ntwo").await?;
    let log = api.log(ws.id()).await?;
    ensure!(log.contains("[hook:onCreateCommand] created by vscode"), "a hook's output is not in the log:\n{log}");
    api.change(ws.id(), "stop").await?;
    api.until(ws.id(), &["stopped"]).await?;
    api.change(ws.id(), "start").await?;
    api.until(ws.id(), &["running"]).await?;
    world.comes_to_say(&ws, "wc -l < ~/order", "4").await?;
    world.says(&ws, "tail -1 ~/order; sort ~/parallel", "postStart\none\ntwo").await?;
    let finished = |e: &Value| e["event"] == "hook-finished" && e["detail"]["exit"] == 0;
    let count = async || api.events(ws.id()).await.map(|all| all.iter().filter(|e| finished(e)).count());
    let all = eventually(async || count().await.ok().filter(|count| *count == 5)).await;
    ensure!(all.is_some(), "{} hooks were told of, not 5", count().await?);
    Ok(())
}

/// An image without glibc serves VS Code like any other.
async fn musl(world: &World, browser: &Browser) -> Result<()> {
    let ws = world.run("musl").await?;
    browser.sees_editor(&ws).await?;
    world.says(&ws, "id -un; cat SECOND.md", "vscode\nA second commit.").await?;
    told(world, &ws, "image-without-git", "git").await
}

/// An image without git is told of, with what to add.
async fn bare(world: &World, browser: &Browser) -> Result<()> {
    let ws = world.run("bare").await?;
    browser.sees_editor(&ws).await?;
    world.says(&ws, "cat SECOND.md", "A second commit.").await?;
    told(world, &ws, "image-without-git", "install -y git").await
}

async fn told(world: &World, ws: &Workspace, code: &str, hint: &str) -> Result<()> {
    let is_it = |e: &Value| e["event"] == "diagnostic" && e["detail"]["code"] == code;
    let look = async || world.api().events(ws.id()).await.ok()?.into_iter().find(is_it);
    let note = eventually(look).await.with_context(|| format!("nobody said {code}"))?;
    ensure!(note["detail"]["hint"].as_str().unwrap_or_default().contains(hint), "{note:#}");
    Ok(())
}

/// Of several configurations one is taken, and another can be chosen.
async fn choice(world: &World, _: &Browser) -> Result<()> {
    let api = world.api();
    let source = world.git.url("two-configs");
    let (a, b) = (".devcontainer/a/devcontainer.json", ".devcontainer/b/devcontainer.json");
    let told = api.ok(Method::POST, "/resolve", Some(json!({ "source": source }))).await?;
    ensure!(told["config"] == a && told["choices"] == json!([a, b]), "{told:#}");
    let wish = json!({ "source": source, "config": b });
    let made = Workspace(api.ok(Method::POST, "/workspaces", Some(wish)).await?);
    let ws = api.until(made.id(), &["running"]).await?;
    ensure!(ws.0["resolution"]["config"] == b, "{:#}", ws.0);
    let wish = json!({ "source": source, "config": "nowhere/devcontainer.json" });
    let (status, problem) = api.call(Method::POST, "/resolve", Some(wish)).await?;
    ensure!(status == 422 && problem["code"] == "configuration-not-found", "{status}: {problem:#}");
    ensure!(problem["hint"].as_str().unwrap_or_default().contains(b), "{problem:#}");
    rebuilt_from(world, &ws, a, b).await
}

/// A rebuild takes another one, also one that was added since; one that is nowhere is refused at once.
async fn rebuilt_from(world: &World, ws: &Workspace, a: &str, b: &str) -> Result<()> {
    let api = world.api();
    let path = |verb: &str| format!("/workspaces/{}/{verb}", ws.id());
    let rebuild =
        async |config: &str| api.call(Method::POST, &path("rebuild"), Some(json!({ "config": config }))).await;
    let used = async || -> Result<String> {
        let ws = api.until(ws.id(), &["running"]).await?;
        ensure!(ws.0["warnings"] == json!([]), "{:#}", ws.0["warnings"]);
        Ok(ws.0["resolution"]["config"].as_str().unwrap_or_default().to_owned())
    };
    let there = api.ok(Method::GET, &path("configurations"), None).await?;
    ensure!(there == json!({ "items": [a, b], "used": b }), "{there:#}");
    let (status, problem) = rebuild("nowhere").await?;
    ensure!(status == 422 && problem["code"] == "configuration-not-found", "{status}: {problem:#}");
    ensure!(problem["hint"] == format!("Choose one of {a}, {b}."), "{problem:#}");
    ensure!(rebuild("a").await?.0 == 202, "{a} is refused");
    ensure!(used().await? == a, "it was not taken");
    api.change(ws.id(), "rebuild").await?;
    ensure!(used().await? == a, "it does not stay chosen");
    world.says(ws, "cp -r .devcontainer/b .devcontainer/c", "").await?;
    ensure!(rebuild("c").await?.0 == 202, "a new one is refused");
    ensure!(used().await? == b.replace("/b/", "/c/"), "the new one was not taken");
    Ok(())
}

/// Credentials by configuration, which nobody sees again.
async fn private(world: &World, _: &Browser) -> Result<()> {
    let ws = world.run("private-plain").await?;
    world.says(&ws, "cat README.md && git status --porcelain", "# private").await?;
    let (_, config) = world.api().exec(ws.id(), "cat .git/config; env").await?;
    let log = world.api().log(ws.id()).await? + &config + &ws.0.to_string() + &world.steading.log();
    ensure!(!log.contains(git::PASSWORD), "the password is shown somewhere");
    Ok(())
}

/// A folder of this machine, as it is committed.
async fn local(world: &World, _: &Browser) -> Result<()> {
    let folder = world.git.work("plain");
    for source in [folder.display().to_string(), format!("file://{}", folder.display())] {
        let ws = world.run_source(&source).await?;
        world.says(&ws, "git log --format=%s && git status --porcelain", "Second\nFirst").await?;
    }
    Ok(())
}

/// A branch, a tag and a commit, in the URL and beside it.
async fn references(world: &World, _: &Browser) -> Result<()> {
    let api = world.api();
    let source = world.git.url("plain");
    let commit = head(&world.git.work("plain"), "HEAD~1")?;
    for reference in ["feature/old", "v1", &commit] {
        for wish in
            [json!({ "source": format!("{source}#{reference}") }), json!({ "source": source, "reference": reference })]
        {
            let told = api.ok(Method::POST, "/resolve", Some(wish)).await?;
            ensure!(told["commit"] == *commit, "{reference}: {told:#}");
        }
    }
    let refs = api.ok(Method::POST, "/refs", Some(json!({ "source": format!("{source}#v1") }))).await?;
    let expected = json!({ "default": "main", "branches": ["main", "feature/old"], "tags": ["v1"], "more": false });
    ensure!(refs == expected, "{refs:#}");
    let branch = world.run_source(&format!("{source}#feature/old")).await?;
    world
        .says(&branch, "git branch --show-current; git log --format=%s; git status --porcelain", "feature/old\nFirst")
        .await?;
    world.says(&branch, "git rev-parse --abbrev-ref @{upstream}", "origin/feature/old").await?;
    api.delete_soon(branch.id()).await?;
    let tag = world.run_source(&format!("{source}#v1")).await?;
    world.says(&tag, "git describe --tags; git status --porcelain; ls", "v1\nREADME.md").await
}

fn head(folder: &Path, name: &str) -> Result<String> {
    let output = Command::new("git").args(["rev-parse", name]).current_dir(folder).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A request that is sent twice with one key makes one workspace; without a key, two.
async fn twice(world: &World, _: &Browser) -> Result<()> {
    let api = world.api();
    let body = json!({ "source": world.git.url("python") });
    let send = |key: Option<&str>| {
        let request = api.request(Method::POST, "/workspaces").json(&body);
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        async move { anyhow::Ok(request.send().await?.error_for_status()?.json::<Value>().await?) }
    };
    let (one, two) = (send(Some("k1")).await?, send(Some("k1")).await?);
    ensure!(one == two, "the answer was not replayed: {one:#} {two:#}");
    let (three, four) = tokio::try_join!(send(None), send(None))?;
    ensure!(three["id"] != four["id"] && three["id"] != one["id"], "two requests made one workspace");
    for made in [one, three, four] {
        let id = made["id"].as_str().context("no id")?.to_owned();
        // Deleted in the middle of whatever it is doing.
        api.delete(&id).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_repository_becomes_a_workspace() -> Result<()> {
    let settings =
        Settings::default().file("[source.credentials.\"{git}\"]\nusername = \"fox\"\npassword = \"{password}\"\n");
    journey(settings, async |world| {
        let browser = Browser::signed_in(&world.steading).await?;
        let (world, browser) = (&*world, &browser);
        // Some at once, as people come.
        tokio::try_join!(
            async {
                plain(world, browser).await.context("plain")?;
                musl(world, browser).await.context("musl")?;
                bare(world, browser).await.context("bare")?;
                private(world, browser).await.context("private")
            },
            async {
                image(world, browser).await.context("image")?;
                dockerfile(world, browser).await.context("dockerfile")?;
                local(world, browser).await.context("local")?;
                twice(world, browser).await.context("twice")
            },
            async {
                hooks(world, browser).await.context("hooks")?;
                references(world, browser).await.context("references")?;
                choice(world, browser).await.context("choice")
            },
        )?;
        Ok(())
    })
    .await
}

/// Hooks run where they always do, and a rebuild keeps what is opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_file_opens_its_folder() -> Result<()> {
    journey(Settings::default(), async |world| {
        let (api, browser) = (world.api(), Browser::signed_in(&world.steading).await?);
        let file = ".devcontainer/devcontainer.json";
        let link = format!("{}/src/branch/main/{file}#L3", world.git.url("hooked"));
        let mut ws = world.run_source(&link).await?;
        for round in ["new", "rebuilt"] {
            let folder = "/workspaces/hooked/.devcontainer";
            ensure!(ws.0["folder"] == folder, "{round}: {:#}", ws.0);
            let page = browser.get(ws.url()).await?;
            let opened = page.url().query_pairs().find(|(key, _)| key == "folder").map(|(_, value)| value.into_owned());
            ensure!(opened.as_deref() == Some(folder), "{round}: {} was opened", page.url());
            world.says(&ws, "pwd; head -c 14 ../.hooks", &format!("{folder}\nbegin onCreate")).await?;
            if round == "new" {
                ensure!(ws.0["resolution"]["path"] == file, "{:#}", ws.0);
                api.change(ws.id(), "rebuild").await?;
                ws = api.until(ws.id(), &["running"]).await?;
            }
        }
        Ok(())
    })
    .await
}
