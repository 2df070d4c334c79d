//! Two servers on one engine, and things on it that no server knows.

use anyhow::{Context as _, Result, ensure};
use steading_tests::{Settings, World, engine, eventually, journey};

fn labelled(kind: &str, installation: &str) -> Result<Vec<String>> {
    let filter = format!("label=dev.steading/installation={installation}");
    let format = if kind == "container" { "{{.Names}}" } else { "{{.Name}}" };
    let mut args = vec![kind, "ls", "--filter", &filter, "--format", format];
    args.extend((kind == "container").then_some("--all"));
    Ok(engine::docker(&args)?.lines().map(str::to_owned).collect())
}

/// A container and a volume as an installation makes them, of a workspace that it has no record of.
fn orphan(installation: &str, workspace: &str, image: &str) -> Result<String> {
    let name = format!("steading-{installation}-orphan");
    let own = format!("dev.steading/installation={installation}");
    let workspace = format!("dev.steading/workspace={workspace}");
    let workspace = workspace.as_str();
    let (role, volume) = ("dev.steading/container=main", "dev.steading/volume=workspace");
    engine::docker(&["volume", "create", "--label", &own, "--label", workspace, "--label", volume, &name])?;
    let mount = format!("{name}:/data");
    engine::docker(&[
        "run",
        "--detach",
        "--init",
        "--name",
        &name,
        "--label",
        &own,
        "--label",
        workspace,
        "--label",
        role,
        "--label",
        "dev.steading/slug=orphan",
        "--volume",
        &mount,
        image,
        "sh",
        "-c",
        "echo precious > /data/file; sleep 100000",
    ])
}

fn is_running(container: &str) -> Result<bool> {
    Ok(engine::docker(&["inspect", "--format", "{{.State.Running}}", container])? == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_never_meet() -> Result<()> {
    let settings = Settings::default().env("STEADING_WORKER__SWEEP_SECONDS", "1");
    journey(settings.clone(), async |one| {
        let mut two = World::beside(one.git.clone(), settings)?;
        ensure!(one.installation() != two.installation(), "both are {}", one.installation());
        let image = "steading.test/base:bookworm";
        let (mine, theirs) = tokio::try_join!(one.run("plain"), two.run("plain"))?;
        for (world, own) in [(&*one, &mine), (&two, &theirs)] {
            let list = world.api().list().await?;
            ensure!(list.len() == 1 && list[0].id() == own.id(), "{list:#?}");
            for kind in ["container", "volume", "network"] {
                let names = labelled(kind, world.installation())?;
                let foreign = names.iter().find(|name| !name.contains(world.installation()));
                ensure!(!names.is_empty() && foreign.is_none(), "{kind}s of {}: {names:?}", world.installation());
            }
        }
        ensure!(one.api().show(theirs.id()).await?.is_none(), "one server shows the other's workspace");

        // One goes; the other does not notice, not even a workspace of the same id.
        let orphan_of_one = orphan(one.installation(), theirs.id(), image)?;
        let orphan_of_nobody = orphan("00000000", theirs.id(), image)?;
        let started = ["inspect", "--format", "{{.State.StartedAt}}", &one.container(mine.id())?].map(str::to_owned);
        let started: Vec<&str> = started.iter().map(String::as_str).collect();
        let before = engine::docker(&started)?;
        two.api().delete(theirs.id()).await?;
        two.assert_nothing_left()?;
        two.steading.kill();
        drop(two);
        ensure!(engine::docker(&started)? == before, "the other server's workspace was restarted");
        one.says(&mine, "git status --porcelain", "").await?;

        // What bears our label and has no record is stopped, and what it holds is kept.
        let stopped = async || is_running(&orphan_of_one).ok().filter(|running| !running);
        if eventually(stopped).await.is_none() {
            eventually(stopped).await.context("the orphan was not stopped")?;
        }
        ensure!(is_running(&orphan_of_nobody)?, "somebody else's container was stopped");
        let volume = format!("steading-{}-orphan:/data", one.installation());
        let kept = engine::docker(&["run", "--rm", "--volume", &volume, image, "cat", "/data/file"])?;
        ensure!(kept == "precious", "the orphan's volume holds {kept:?}");
        engine::remove_all("00000000");
        engine::docker(&["rm", "--force", &orphan_of_one])?;
        engine::docker(&["volume", "rm", &format!("steading-{}-orphan", one.installation())]).map(drop)
    })
    .await
}
