//! Files in containers and on volumes.

use std::io::{self, Read as _};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use steading_core::runtime::RuntimeError;

use super::{Kept, Trial, archive, ensure};

const GRACE: Duration = Duration::from_secs(5);

pub async fn files_survive_down_and_up(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    trial.shell("echo kept > /workspaces/file").await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    trial.runtime.up(&trial.spec).await?;
    let ended = trial.shell("cat /workspaces/file").await?;
    ensure!(ended.stdout == "kept\n", "the file holds {ended:?}");
    let mut other = trial.spec.clone();
    other.main.hostname = "another".to_owned();
    trial.runtime.up(&other.sealed()).await?;
    let ended = trial.shell("cat /workspaces/file").await?;
    ensure!(ended.stdout == "kept\n", "in the next container the file holds {ended:?}");
    Ok(())
}

pub async fn files_go_into_a_stopped_container(trial: &Trial<'_>) -> Kept {
    let upload = |name| async move {
        let tar = archive(name, "content\n", (0, 0)).map_err(|error| RuntimeError::Refused(error.to_string()))?;
        trial.runtime.upload(trial.id(), "/workspaces", tar).await
    };
    let absent = upload("a").await;
    ensure!(matches!(absent, Err(RuntimeError::Gone)), "without a container it says {absent:?}");
    trial.runtime.up(&trial.spec).await?;
    upload("up").await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    upload("down").await?;
    trial.runtime.up(&trial.spec).await?;
    for name in ["up", "down"] {
        let ended = trial.shell(&format!("cat /workspaces/{name}")).await?;
        ensure!(ended.stdout == "content\n", "{name} holds {ended:?}");
    }
    Ok(())
}

pub async fn owners_are_kept_by_number(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let path = "a folder/file";
    trial.runtime.upload(trial.id(), "/workspaces", archive(path, "text", (12_345, 54_321))?).await?;
    for _ in 0..2 {
        let stream = trial.runtime.download(trial.id(), "/workspaces/a folder/file").await?;
        let chunks: Vec<_> = stream.ok_or("it is not there")?.try_collect().await?;
        let (name, owner, text) = first(&chunks.concat())?;
        ensure!(owner == (12_345, 54_321), "its owner is {owner:?}");
        ensure!(name == "file", "it is called {name:?}");
        ensure!(text == "text", "it holds {text:?}");
        trial.runtime.down(trial.id(), GRACE).await?;
    }
    Ok(())
}

/// Name, owner and content of the first file in an archive.
fn first(bytes: &[u8]) -> io::Result<(String, (u64, u64), String)> {
    let mut tar = tar::Archive::new(bytes);
    let mut entry = tar.entries()?.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    let owner = (entry.header().uid()?, entry.header().gid()?);
    let name = entry.path()?.to_string_lossy().into_owned();
    let mut text = String::new();
    entry.read_to_string(&mut text)?;
    Ok((name, owner, text))
}

pub async fn a_path_that_is_not_there_is_none(trial: &Trial<'_>) -> Kept {
    let absent = trial.runtime.download(trial.id(), "/workspaces").await;
    ensure!(matches!(absent, Err(RuntimeError::Gone)), "without a container it answers");
    trial.runtime.up(&trial.spec).await?;
    for path in ["/no/such/path", "/workspaces/none"] {
        ensure!(trial.runtime.download(trial.id(), path).await?.is_none(), "{path} is there");
    }
    ensure!(trial.runtime.download(trial.id(), "/workspaces").await?.is_some(), "an empty folder is not there");
    Ok(())
}

pub async fn an_archive_that_breaks_off_says_why(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let broken = futures::stream::iter([Ok(vec![0; 512].into()), Err(io::Error::other("the disk is on fire"))]).boxed();
    match trial.runtime.upload(trial.id(), "/workspaces", broken).await {
        Err(error) if error.to_string().contains("the disk is on fire") => Ok(()),
        other => Err(format!("it says {other:?}").into()),
    }
}

pub async fn named_volumes_outlive_the_container(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    trial.shell("echo warm > /cache/file").await?;
    let mut other = trial.spec.clone();
    other.main.hostname = "another".to_owned();
    trial.runtime.up(&other.sealed()).await?;
    let ended = trial.shell("cat /cache/file").await?;
    ensure!(ended.stdout == "warm\n", "the cache holds {ended:?}");
    trial.runtime.remove(trial.id()).await?;
    trial.runtime.up(&trial.spec).await?;
    let ended = trial.shell("cat /cache/file").await?;
    ensure!(ended.exit != 0, "the cache outlived its workspace");
    Ok(())
}

pub async fn the_last_output_can_be_read(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    for _ in 0..50 {
        let text = trial.runtime.output(trial.id(), 1).await?;
        if text.contains("started") {
            ensure!(text.lines().count() == 1, "it shows {text:?}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the server's first line does not show".into())
}
