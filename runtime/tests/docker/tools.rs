//! Delivering the IDE and the helper binary.

use std::path::Path;

use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveVolumeOptions};
use steading_core::fault::Fault as _;
use steading_core::pod::Mount;
use steading_core::runtime::Runtime as _;
use steading_runtime::docker::Docker;

use crate::world::World;

fn bundle(path: &Path, content: &str) {
    let mut builder = tar::Builder::new(std::fs::File::create(path).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "bin/node", content.as_bytes()).unwrap();
    builder.finish().unwrap();
}

async fn world() -> Option<World> {
    let world = World::new().await?;
    let arch = world.docker.info().await.unwrap().arch;
    let folder = world.folder.path().join("ide");
    std::fs::create_dir(&folder).unwrap();
    bundle(&folder.join(format!("steading-ide-{arch}.tar")), "one");
    std::fs::write(folder.join("inside"), "#!/bin/sh\necho inside\n").unwrap();
    Some(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_tools_are_named_when_they_are_asked_for() {
    let Some(world) = World::new().await else { return };
    let missing = world.docker.tools().await.unwrap_err();
    assert_eq!(missing.code(), "tools-missing");
    assert!(missing.to_string().contains("steading-ide-"), "{missing}");
    // A workspace without them is nobody's business.
    world.docker.up(&world.trial().spec).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_delivered_once_and_read_only() {
    let Some(world) = world().await else { return };
    let tools = world.docker.tools().await.unwrap();
    assert_eq!(
        tools.iter().map(|tool| tool.target.as_str()).collect::<Vec<_>>(),
        ["/opt/steading/ide", "/opt/steading/bin"]
    );
    let again = Docker::new(&world.config, &world.installation).unwrap();
    assert_eq!(again.tools().await.unwrap(), tools);
    let mut filter = std::collections::HashMap::new();
    filter.insert("label".to_owned(), vec![format!("dev.steading/installation={}", world.installation)]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filter).build();
    assert!(world.engine.list_containers(Some(options)).await.unwrap().is_empty(), "a container is left behind");

    let mut trial = world.trial();
    for tool in &tools {
        trial.spec.main.mounts.push(Mount::Tools { name: tool.name.clone(), target: tool.target.clone() });
    }
    world.docker.up(&trial.spec).await.unwrap();
    assert_eq!(
        trial.shell("/opt/steading/bin/inside; cat /opt/steading/ide/bin/node").await.unwrap().stdout,
        "inside\none"
    );
    assert_ne!(trial.shell("echo x > /opt/steading/bin/inside").await.unwrap().exit, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tools_leave_old_workspaces_theirs() {
    let Some(world) = world().await else { return };
    let tools = world.docker.tools().await.unwrap();
    let mut trial = world.trial();
    for tool in &tools {
        trial.spec.main.mounts.push(Mount::Tools { name: tool.name.clone(), target: tool.target.clone() });
    }
    world.docker.up(&trial.spec).await.unwrap();
    let arch = world.docker.info().await.unwrap().arch;
    bundle(&world.folder.path().join(format!("ide/steading-ide-{arch}.tar")), "two!");
    let later = Docker::new(&world.config, &world.installation).unwrap();
    let newer = later.tools().await.unwrap();
    assert_ne!(newer[0], tools[0]);
    assert_eq!(newer[1], tools[1]);
    let shows = "cat /opt/steading/ide/bin/node";
    assert_eq!(trial.shell(shows).await.unwrap().stdout, "one");
    // Once nothing mounts the old ones they go, and the workspace gets today's in their place.
    let force = bollard::query_parameters::RemoveContainerOptionsBuilder::new().force(true).build();
    world.engine.remove_container(&world.container(&trial.spec), Some(force)).await.unwrap();
    world.engine.remove_volume(&tools[0].name, None::<RemoveVolumeOptions>).await.unwrap();
    later.up(&trial.spec).await.unwrap();
    assert_eq!(trial.shell(shows).await.unwrap().stdout, "two!");
    assert_eq!(later.observe(trial.id()).await.unwrap().spec, Some(trial.spec.hash.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_were_pruned_are_delivered_again() {
    let Some(world) = world().await else { return };
    let tools = world.docker.tools().await.unwrap();
    let mut trial = world.trial();
    for tool in &tools {
        trial.spec.main.mounts.push(Mount::Tools { name: tool.name.clone(), target: tool.target.clone() });
        world.engine.remove_volume(&tool.name, None::<RemoveVolumeOptions>).await.unwrap();
    }
    world.docker.up(&trial.spec).await.unwrap();
    let shows = "/opt/steading/bin/inside; cat /opt/steading/ide/bin/node";
    assert_eq!(trial.shell(shows).await.unwrap().stdout, "inside\none");
}
