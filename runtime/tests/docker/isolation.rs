//! Workspaces reach neither each other, nor the host, nor another installation.

use steading_core::pod::Mount;
use steading_core::runtime::Runtime as _;
use steading_runtime::conformance::SERVICE;

use crate::world::World;

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

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_out_of_reach() {
    let Some(world) = World::new().await else { return };
    if std::process::Command::new("iptables")
        .args(["-w", "5", "-S", "INPUT"])
        .output()
        .is_ok_and(|o| !o.status.success())
    {
        eprintln!("SKIPPED: this user may not change the firewall");
        return;
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
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
    let again = steading_runtime::docker::Docker::new(&world.config, &world.installation).unwrap();
    again.up(&trial.spec).await.unwrap();
    let rules = std::process::Command::new("iptables").args(["-w", "5", "-S", "INPUT"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert_eq!(rules.matches(&format!("st-{}", world.installation)).count(), 1, "{rules}");
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
