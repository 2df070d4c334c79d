//! Up, down and away.

use std::time::Duration;

use futures::StreamExt as _;
use steading_core::image::ImageRef;
use steading_core::runtime::{ContainerState, RuntimeError, RuntimeEvent};

use super::{Kept, Trial, ensure};

const GRACE: Duration = Duration::from_secs(5);

pub async fn a_workspace_that_was_never_up_is_absent(trial: &Trial<'_>) -> Kept {
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_absent(), "it shows {seen:?}");
    ensure!(seen.instance.is_none() && seen.spec.is_none(), "it shows {seen:?}");
    Ok(())
}

pub async fn up_runs_what_the_spec_says(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_up(), "it is {:?}", seen.main());
    ensure!(seen.spec == Some(trial.spec.hash.clone()), "its spec is {:?}", seen.spec);
    ensure!(seen.instance.is_some(), "it has no instance");
    let started = seen.started_at.ok_or("it has no start")?;
    ensure!((chrono::Utc::now() - started).num_seconds().abs() < 60, "it started at {started}");
    let volumes: Vec<_> = seen.volumes.keys().copied().collect();
    ensure!(volumes == trial.spec.volumes, "its volumes are {volumes:?}");
    let ids: std::collections::BTreeSet<_> = seen.volumes.values().collect();
    ensure!(ids.len() == volumes.len(), "two volumes are one");
    Ok(())
}

pub async fn up_twice_is_up_once(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let first = trial.runtime.observe(trial.id()).await?;
    trial.runtime.up(&trial.spec).await?;
    let second = trial.runtime.observe(trial.id()).await?;
    ensure!(first == second, "{first:?} became {second:?}");
    Ok(())
}

pub async fn two_ups_at_once_make_one_container(trial: &Trial<'_>) -> Kept {
    let (first, second) = tokio::join!(trial.runtime.up(&trial.spec), trial.runtime.up(&trial.spec));
    first?;
    second?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_up() && seen.containers.len() == 1, "it shows {seen:?}");
    Ok(())
}

pub async fn up_starts_what_is_down(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let first = trial.runtime.observe(trial.id()).await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    trial.runtime.up(&trial.spec).await?;
    let second = trial.runtime.observe(trial.id()).await?;
    ensure!(second.is_up(), "it is {:?}", second.main());
    ensure!(second.volumes == first.volumes, "the volumes are others");
    ensure!(second.started_at > first.started_at, "it did not start again");
    Ok(())
}

pub async fn up_replaces_another_spec_and_keeps_the_volumes(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let first = trial.runtime.observe(trial.id()).await?;
    let mut other = trial.spec.clone();
    other.main.env.insert("CHANGED".to_owned(), "yes".to_owned());
    let other = other.sealed();
    trial.runtime.up(&other).await?;
    let second = trial.runtime.observe(trial.id()).await?;
    ensure!(second.is_up(), "it is {:?}", second.main());
    ensure!(second.spec == Some(other.hash.clone()), "its spec is {:?}", second.spec);
    ensure!(second.instance != first.instance, "it is the same container");
    ensure!(second.volumes == first.volumes, "the volumes are others");
    Ok(())
}

pub async fn up_thaws_what_is_paused(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.pause(trial.id()).await?;
    trial.runtime.up(&trial.spec).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_up(), "it is {:?}", seen.main());
    Ok(())
}

pub async fn a_missing_image_is_named(trial: &Trial<'_>) -> Kept {
    let mut spec = trial.spec.clone();
    spec.main.image = ImageRef::new(format!("sha256:{}", "0123456789abcdef".repeat(4)));
    match trial.runtime.up(&spec).await {
        Err(RuntimeError::ImageGone(image)) if image == spec.main.image => {}
        other => return Err(format!("it says {other:?}").into()),
    }
    Ok(())
}

pub async fn down_keeps_container_and_volumes(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let first = trial.runtime.observe(trial.id()).await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    let second = trial.runtime.observe(trial.id()).await?;
    match second.main() {
        Some(ContainerState::Down { exit: Some(_), oom: false, finished_at: Some(end) }) => {
            ensure!(Some(*end) >= first.started_at, "it ended at {end}, before it started");
        }
        other => return Err(format!("it is {other:?}").into()),
    }
    ensure!(second.volumes == first.volumes, "the volumes are others");
    ensure!(second.started_at == first.started_at, "its start is {:?}", second.started_at);
    Ok(())
}

pub async fn down_of_what_is_not_up_is_fine(trial: &Trial<'_>) -> Kept {
    trial.runtime.down(trial.id(), GRACE).await?;
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    trial.runtime.down(trial.id(), GRACE).await?;
    Ok(())
}

pub async fn what_is_paused_can_go_down_and_away(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.pause(trial.id()).await?;
    trial.runtime.down(trial.id(), Duration::from_secs(1)).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(matches!(seen.main(), Some(ContainerState::Down { .. })), "it is {:?}", seen.main());
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.pause(trial.id()).await?;
    trial.runtime.remove(trial.id()).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_absent(), "it shows {seen:?}");
    Ok(())
}

pub async fn remove_leaves_nothing(trial: &Trial<'_>) -> Kept {
    trial.runtime.remove(trial.id()).await?;
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.remove(trial.id()).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    ensure!(seen.is_absent(), "it shows {seen:?}");
    trial.runtime.remove(trial.id()).await?;
    Ok(())
}

pub async fn pause_and_resume_keep_the_instance(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let first = trial.runtime.observe(trial.id()).await?;
    trial.runtime.pause(trial.id()).await?;
    trial.runtime.pause(trial.id()).await?;
    let frozen = trial.runtime.observe(trial.id()).await?;
    ensure!(frozen.main() == Some(&ContainerState::Paused), "it is {:?}", frozen.main());
    trial.runtime.resume(trial.id()).await?;
    trial.runtime.resume(trial.id()).await?;
    let second = trial.runtime.observe(trial.id()).await?;
    ensure!(first == second, "{first:?} became {second:?}");
    Ok(())
}

pub async fn what_is_not_there_cannot_be_paused(trial: &Trial<'_>) -> Kept {
    for result in [trial.runtime.pause(trial.id()).await, trial.runtime.resume(trial.id()).await] {
        ensure!(matches!(result, Err(RuntimeError::Gone)), "it says {result:?}");
    }
    Ok(())
}

pub async fn list_shows_each_workspace_once(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let seen = trial.runtime.observe(trial.id()).await?;
    let all = trial.runtime.list().await?;
    let ours: Vec<_> = all.iter().filter(|(id, _)| *id == trial.id()).collect();
    ensure!(ours.len() == 1, "it is there {} times", ours.len());
    ensure!(ours[0].1 == seen, "{:?} is not {seen:?}", ours[0].1);
    Ok(())
}

pub async fn events_tell_of_starts_and_ends(trial: &Trial<'_>) -> Kept {
    let mut events = trial.runtime.events();
    let id = trial.id();
    let told = async {
        while let Some(event) = events.next().await {
            if event == RuntimeEvent::Changed(id) {
                return true;
            }
        }
        false
    };
    let patience = Duration::from_secs(20);
    let (up, started) = tokio::join!(trial.runtime.up(&trial.spec), tokio::time::timeout(patience, told));
    up?;
    ensure!(started == Ok(true), "nobody told of the start");
    let mut events = trial.runtime.events();
    // The second watch begins before the end does.
    tokio::time::sleep(Duration::from_millis(100)).await;
    trial.runtime.down(id, GRACE).await?;
    let told = async { while events.next().await.is_some_and(|event| event != RuntimeEvent::Changed(id)) {} };
    ensure!(tokio::time::timeout(patience, told).await.is_ok(), "nobody told of the end");
    Ok(())
}
