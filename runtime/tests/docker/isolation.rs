//! Workspaces reach neither each other, nor the host, nor another installation.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder};
use futures::TryStreamExt as _;
use steading_core::pod::Mount;
use steading_core::runtime::Runtime as _;
use steading_runtime::conformance::{Lines, SERVICE, words};
use steading_runtime::docker::Docker;

use crate::world::{World, server};

/// Connects, and says whether that went well.
fn connect(address: &str) -> String {
    format!(
        "perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(PeerAddr => \"{address}\", Timeout => 2) ? \"in\" : \"out\"'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_never_meet() {
    let (Some(one), Some(two)) = (World::new().await, World::new().await) else { return };
    let (first, second) = (one.trial(), two.trial());
    one.docker.up(&first.spec).await.unwrap();
    two.docker.up(&second.spec).await.unwrap();
    let ids = |list: Vec<(steading_core::WorkspaceId, _)>| list.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(one.docker.list().await.unwrap()), [first.id()]);
    assert_eq!(ids(two.docker.list().await.unwrap()), [second.id()]);
    two.docker.remove(first.id()).await.unwrap();
    assert!(two.docker.observe(first.id()).await.unwrap().is_absent());
    assert!(one.docker.observe(first.id()).await.unwrap().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_do_not_reach_each_other() {
    let Some(world) = World::new().await else { return };
    let (first, second) = (world.trial(), world.trial());
    world.docker.up(&first.spec).await.unwrap();
    world.docker.up(&second.spec).await.unwrap();
    crate::ports::ready(&world, second.id(), SERVICE).await;
    let seen = world.engine.inspect_container(&world.container(&second.spec), None).await.unwrap();
    let networks = seen.network_settings.unwrap().networks.unwrap();
    let ip = networks[&format!("steading-{}", world.installation)].ip_address.clone().unwrap();
    let answer = first.shell(&connect(&format!("{ip}:{SERVICE}"))).await.unwrap();
    assert_eq!(answer.stdout, "out", "{answer:?}");
    let named = first.shell(&connect(&format!("{}:{SERVICE}", world.container(&second.spec)))).await.unwrap();
    assert_eq!(named.stdout, "out", "{named:?}");
}

/// Runs `iptables`, and says whether it agrees.
fn iptables(arguments: &[&str]) -> bool {
    let ran = std::process::Command::new("iptables").args(["-w", "5"]).args(arguments).output();
    ran.is_ok_and(|output| output.status.success())
}

/// Whether this user may change the firewall; a word about it if not.
fn may_isolate() -> bool {
    let may = iptables(&["-S", "INPUT"]);
    if !may {
        eprintln!("SKIPPED: this user may not change the firewall");
    }
    may
}

/// A port of the host's that answers on every address.
async fn service_of_the_host() -> u16 {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_out_of_reach() {
    let Some(world) = World::new().await else { return };
    if !may_isolate() {
        return;
    }
    let port = service_of_the_host().await;
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    crate::ports::ready(&world, trial.id(), SERVICE).await;
    let network = world.engine.inspect_network(&format!("steading-{}", world.installation), None).await.unwrap();
    let gateway = network.ipam.unwrap().config.unwrap()[0].gateway.clone().unwrap();
    let begun = std::time::Instant::now();
    for host in [gateway, "172.17.0.1".to_owned()] {
        let answer = trial.shell(&connect(&format!("{host}:{port}"))).await.unwrap();
        assert_eq!(answer.stdout, "out", "{host} answers");
    }
    assert!(begun.elapsed().as_secs() < 2, "a refusal took {:?}", begun.elapsed());
    // Twice over changes nothing.
    let again = Docker::new(&world.config, &world.installation).unwrap();
    again.up(&trial.spec).await.unwrap();
    let rules = std::process::Command::new("iptables").args(["-w", "5", "-S", "INPUT"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert_eq!(rules.matches(&format!("st-{}", world.installation)).count(), 1, "{rules}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firewall_that_is_loaded_anew_takes_the_isolation_away_for_seconds() {
    let Some(world) = World::new().await else { return };
    if !may_isolate() {
        return;
    }
    let trial = world.trial();
    world.docker.up(&trial.spec).await.unwrap();
    // Another process, which starts nothing.
    let other = Docker::new(&world.config, &world.installation).unwrap();
    let _events = other.events();
    let (bridge, chain) = (format!("st-{}", world.installation), format!("STEADING-{}", world.installation));
    let jump = ["INPUT", "-i", &bridge, "-j", &chain];
    for _ in 0..2 {
        assert!(iptables(&[&["-D"], jump.as_slice()].concat()) && iptables(&["-F", &chain]));
        let begun = std::time::Instant::now();
        while !iptables(&[&["-C"], jump.as_slice()].concat()) || !iptables(&["-C", &chain, "-j", "REJECT"]) {
            assert!(begun.elapsed().as_secs() < 30, "the rules do not come back");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Somebody else's container on the engine's own bridge.
async fn foreign(world: &World, command: Vec<String>) -> String {
    let body = ContainerCreateBody {
        image: Some(world.fixture.image.to_string()),
        cmd: Some(command),
        ..ContainerCreateBody::default()
    };
    let id = world.engine.create_container(None, body).await.unwrap().id;
    world.engine.start_container(&id, None).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instruction_of_a_dockerfile_reaches_neither_host_nor_neighbours() {
    let Some(world) = World::new().await else { return };
    if !may_isolate() {
        return;
    }
    let port = service_of_the_host().await;
    let bridge = world.engine.inspect_network("bridge", None).await.unwrap();
    let host = bridge.ipam.unwrap().config.unwrap()[0].gateway.clone().unwrap();
    let neighbour = foreign(&world, server("0.0.0.0:80")).await;
    let seen = world.engine.inspect_container(&neighbour, None).await.unwrap();
    let address = seen.network_settings.unwrap().networks.unwrap()["bridge"].ip_address.clone().unwrap();

    // The last instruction gives the others time for their part.
    let (first, second) = (connect(&format!("{host}:{port}")), connect(&format!("{address}:80")));
    let text = format!(
        "FROM {}\nENV OF={}\nRUN test $({first}) = out\nRUN test $({second}) = out\nRUN sleep 8\n",
        world.fixture.image, world.installation
    );
    let request = crate::builds::request(&world);
    let lines = Lines::default();
    let build = world.docker.build(&request, crate::builds::context(&text), &lines);
    let others = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        // Other people's containers go on as ever, those that start meanwhile too.
        let (reach, host) = (words(&["sh", "-c", &second]), words(&["sh", "-c", &first]));
        (foreign(&world, reach).await, foreign(&world, host).await)
    };
    let (built, (newer, newest)) = tokio::join!(build, others);
    let mut said = Vec::new();
    for id in [&newer, &newest, &neighbour] {
        let options = LogsOptionsBuilder::new().stdout(true).build();
        let output: Vec<_> = world.engine.logs(id, Some(options)).try_collect().await.unwrap();
        said.push(output.iter().map(ToString::to_string).collect::<String>());
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        world.engine.remove_container(id, Some(force)).await.unwrap();
    }
    built.unwrap_or_else(|error| panic!("{error}: {}", lines.text()));
    assert_eq!(said[..2], ["in", "in"]);
    // Nothing is left with the installation.
    let chain = format!("STEADING-{}-BUILD", world.installation);
    assert!(iptables(&["-S", &chain]), "the test tests nothing");
    world.docker.uninstall().await.unwrap();
    assert!(!iptables(&["-S", &chain]));
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_that_use_one_name_do_not_share_a_volume() {
    let Some(world) = World::new().await else { return };
    let (first, mut second) = (world.trial(), world.trial());
    second.spec.main.mounts.push(Mount::Named { name: "a/b c".to_owned(), target: "/odd".to_owned(), read_only: true });
    world.docker.up(&first.spec).await.unwrap();
    world.docker.up(&second.spec).await.unwrap();
    first.shell("echo secret > /cache/file").await.unwrap();
    assert_ne!(second.shell("cat /cache/file").await.unwrap().exit, 0);
    assert_ne!(second.shell("echo x > /odd/file").await.unwrap().exit, 0, "it is read-only");
}
