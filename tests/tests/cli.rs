//! The main job from the terminal, with the command line as a process.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Browser, Cli, Settings, World, eventually, journey};

/// Fails unless a command ends with this exit code and says these words on standard error.
async fn fails(cli: &Cli, args: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let ended = cli.run(args).await?;
    let said = words.iter().all(|word| ended.stderr.contains(word));
    ensure!(ended.code == code && said, "steading {} ended with {}: {}", args.join(" "), ended.code, ended.stderr);
    Ok(())
}

async fn a_life(world: &mut World, cli: &Cli) -> Result<()> {
    let source = world.git.url("hooks");
    let resolved = cli.ok(&["resolve", &source]).await?;
    ensure!(resolved.said().contains("devcontainer.json"), "{}", resolved.stdout);
    ensure!(cli.ok(&["ls"]).await?.stdout.lines().count() == 1, "resolving made something");

    let up = cli.ok(&["up", &source]).await?;
    let url = up.said().to_owned();
    for word in ["==> resolving", "==> starting", "==> running", "created by vscode"] {
        ensure!(up.stderr.contains(word), "`up` never said {word:?}: {}", up.stderr);
    }
    let name = url.trim_start_matches("http://").split('.').next().context("no name")?.to_owned();
    let name = name.as_str();
    let list = cli.ok(&["ls"]).await?.stdout;
    ensure!(list.contains(name) && list.contains("running") && list.contains(&url), "{list}");
    let shown: serde_json::Value = serde_json::from_str(&cli.ok(&["show", name]).await?.stdout)?;
    ensure!(shown["slug"] == name && shown["phase"] == "running", "{shown:#}");
    ensure!(cli.ok(&["open", name, "--print"]).await?.said() == url, "another address");
    let port = cli.ok(&["open", name, "--print", "--port", "3000"]).await?;
    ensure!(port.said() == url.replacen("://", "://3000-", 1), "{}", port.stdout);
    let log = cli.ok(&["logs", name]).await?.stdout;
    ensure!(log.contains("[hook:onCreateCommand] created by vscode"), "{log}");

    commands(cli, name).await.context("exec")?;

    let mut following = cli.begin(&["logs", "--follow", name])?;
    cli.ok(&["exec", name, "echo kept > kept.txt"]).await?;
    // Whoever follows goes on after the restart, with no line lost or doubled.
    world.steading.kill();
    world.steading.restart()?;
    ensure!(cli.ok(&["stop", name]).await?.said() == name, "another name");
    fails(cli, &["exec", name, "true"], 125, &["workspace-not-running", "hint:"]).await?;
    ensure!(cli.ok(&["start", name]).await?.said() == url, "another address");
    let before = world.container(shown["id"].as_str().unwrap_or_default())?;
    let rebuilt = cli.ok(&["rebuild", name]).await?;
    ensure!(rebuilt.said() == url && rebuilt.stderr.contains("created by vscode"), "{}", rebuilt.stderr);
    ensure!(world.container(shown["id"].as_str().unwrap_or_default())? != before, "nothing was rebuilt");
    ensure!(cli.ok(&["exec", name, "cat kept.txt"]).await?.said() == "kept", "an edit was lost");

    cli.ok(&["stop", name]).await?;
    let opened = cli.ok(&["open", name, "--print"]).await?;
    ensure!(opened.said() == url, "{}", opened.stderr);
    Browser::signed_in(&world.steading).await?.sees_editor(&world.api().show(name).await?.context("gone")?).await?;

    fails(cli, &["rm", name], 2, &["not-confirmed", "--yes"]).await?;
    ensure!(cli.ok(&["rm", "--yes", name]).await?.said() == name, "another name");
    world.assert_nothing_left()?;
    let ended = eventually(async || following.try_wait().ok().flatten()).await;
    let _ = following.kill();
    ensure!(ended.context("`logs --follow` never ended")?.success(), "`logs --follow` failed");
    let mut followed = String::new();
    following.stdout.take().context("no output")?.read_to_string(&mut followed)?;
    ensure!(followed.matches("created by vscode").count() == 2, "{followed}");
    fails(cli, &["show", name], 2, &["workspace-not-found"]).await
}

async fn commands(cli: &Cli, name: &str) -> Result<()> {
    let ended = cli.run(&["exec", name, "echo out; echo err >&2; exit 7"]).await?;
    ensure!((ended.code, ended.said(), ended.stderr.trim()) == (7, "out", "err"), "{ended:?}");
    let ended = cli.feed(&["exec", "--interactive", name, "--", "tr", "a-z", "A-Z"], "from here").await?;
    ensure!((ended.code, ended.said()) == (0, "FROM HERE"), "{ended:?}");
    let args = ["exec", "--env", "A=b c", "--workdir", "/tmp", "--user", "root", name, "echo $A $(pwd) $(id -un)"];
    ensure!(cli.ok(&args).await?.said() == "b c /tmp root", "environment, folder or user were not heeded");
    fails(cli, &["exec", "--timeout", "1", name, "sleep 30"], 125, &["exec-timeout", "hint:"]).await?;
    let long = cli.run(&["exec", name, "head -c 3000000 /dev/zero | tr '\\0' x"]).await?;
    ensure!(long.stdout.len() == 1 << 20 && long.stderr.contains("1 MiB"), "{} {}", long.stdout.len(), long.stderr);
    Ok(())
}

async fn tokens(world: &World, cli: &Cli) -> Result<()> {
    let made = cli.ok(&["token", "create", "reader", "--scope", "read", "--days", "1"]).await?;
    let token = made.said().to_owned();
    let list = cli.ok(&["token", "ls"]).await?.stdout;
    ensure!(list.contains("reader") && list.contains("read") && !list.contains(&token), "{list}");
    let server = world.steading.address.as_str();
    let with = |rest: &[&'static str]| -> Vec<String> {
        let own = ["--server", server, "--token", &token];
        rest.iter().copied().chain(own).map(str::to_owned).collect()
    };
    let run = async |args: Vec<String>| cli.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
    ensure!(run(with(&["ls"])).await?.code == 0, "a reader may not list");
    let refused = run(with(&["up", "https://example.com/a/b"])).await?;
    ensure!(refused.code == 3 && refused.stderr.contains("hint:"), "{refused:?}");
    let id = list.lines().find(|l| l.contains("reader")).and_then(|l| l.split_whitespace().next()).context("no id")?;
    cli.ok(&["token", "rm", id]).await?;
    let gone = run(with(&["ls"])).await?;
    ensure!(gone.code == 3 && gone.stderr.contains("hint:"), "{gone:?}");
    Ok(())
}

async fn mistakes(world: &World, cli: &Cli) -> Result<()> {
    fails(cli, &["up", "nonsense"], 2, &["[source-not-a-url]", "hint:"]).await?;
    fails(cli, &["up", &world.git.url("nowhere")], 4, &["[repository-not-found]", "hint:"]).await?;
    fails(cli, &["resolve", &world.git.url("nowhere")], 2, &["[repository-not-found]", "hint:"]).await?;
    fails(cli, &["ls", "--server", &world.steading.address, "--token", "wrong"], 3, &["hint:"]).await?;
    fails(cli, &["ls", "--server", &world.steading.address], 3, &["[no-token]", "STEADING_TOKEN"]).await?;
    fails(cli, &["ls", "--server", "http://127.0.0.1:1", "--token", "x"], 4, &["[server-unreachable]"]).await?;
    fails(cli, &["ls", "--data-dir", "/nowhere"], 2, &["[no-server]", "hint:"]).await?;
    fails(cli, &["dance"], 2, &["dance"]).await?;
    for args in [vec!["serve"], vec!["config"]] {
        let mut command = tokio::process::Command::from(cli.command(&args)?);
        let output = command.env("STEADING_SERVER__LISTN", "x").output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2) && said.contains("Did you mean `server.listen`?"), "{said}");
    }
    let config = cli.ok(&["config", "--listen", "127.0.0.1:9"]).await?.stdout;
    for words in [["server.listen", "--listen"], ["server.data_dir", "STEADING_SERVER__DATA_DIR"]] {
        let line = config.lines().find(|line| line.starts_with(words[0])).unwrap_or_default();
        ensure!(line.contains(words[1]), "{config}");
    }
    let second = cli.run(&["serve", "--listen", "127.0.0.1:0"]);
    let second = tokio::time::timeout(Duration::from_secs(20), second).await.context("a second server runs")??;
    ensure!(second.code == 2 && second.stderr.contains("[data-dir-in-use]"), "{second:?}");
    let link = cli.ok(&["sign-in"]).await?;
    let page = Browser::stranger(&world.steading);
    page.get(link.said()).await?;
    ensure!(page.cookie("localhost").is_some(), "the new link does not sign in: {}", link.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_from_the_terminal() -> Result<()> {
    journey(Settings::default(), async |world| {
        let cli = Cli::new(world.data_dir());
        mistakes(world, &cli).await.context("mistakes")?;
        tokens(world, &cli).await.context("tokens")?;
        world.clear().await?;
        a_life(world, &cli).await.context("a life")
    })
    .await
}
