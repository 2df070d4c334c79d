//! Builds on the engine's own BuildKit.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::query_parameters::TagImageOptionsBuilder;
use futures::StreamExt as _;
use steading_core::image::ImageRef;
use steading_core::runtime::{BuildRequest, ByteStream, Runtime as _, RuntimeError};
use steading_runtime::conformance::Lines;

use crate::world::World;

/// A build context with nothing but this Dockerfile.
pub fn context(dockerfile: &str) -> ByteStream {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "Dockerfile", dockerfile.as_bytes()).unwrap();
    let bytes = builder.into_inner().unwrap();
    futures::stream::iter([Ok(bytes.into())]).boxed()
}

/// A build of it.
pub fn request(world: &World) -> BuildRequest {
    BuildRequest {
        tag: ImageRef::new(format!("steading-{}/built:1", world.installation)),
        dockerfile: "Dockerfile".to_owned(),
        target: None,
        args: BTreeMap::new(),
        cache_from: Vec::new(),
        labels: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_tells_what_it_does() {
    let Some(world) = World::new().await else { return };
    let mut request = request(&world);
    request.args.insert("WORD".to_owned(), "from the outside".to_owned());
    request.target = Some("second".to_owned());
    let text = format!(
        "FROM {} AS first\nARG WORD\nRUN echo \"said $WORD\" && echo {}\nFROM first AS second\nRUN true\nFROM nowhere.invalid/x",
        world.fixture.image, world.installation
    );
    let lines = Lines::default();
    let first = world.docker.build(&request, context(&text), &lines).await.unwrap();
    let told = lines.text();
    assert!(told.contains("said from the outside"), "{told}");
    assert!(told.contains("DONE"), "{told}");
    let lines = Lines::default();
    let second = world.docker.build(&request, context(&text), &lines).await.unwrap();
    assert!(lines.text().contains("CACHED"), "{}", lines.text());
    assert_eq!(first.id, second.id);
    world.drop_images(request.tag.as_str()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_comes_with_the_last_words() {
    let Some(world) = World::new().await else { return };
    let text =
        format!("FROM {}\nRUN echo {}; echo the last words >&2; exit 42\n", world.fixture.image, world.installation);
    match world.docker.build(&request(&world), context(&text), &Lines::default()).await {
        Err(RuntimeError::Build(why)) => {
            assert!(why.contains("exit 42"), "{why}");
            assert!(why.contains("the last words"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    match world.docker.build(&request(&world), context("FORM x\n"), &Lines::default()).await {
        Err(RuntimeError::Build(why)) => assert!(why.to_lowercase().contains("form"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_nobody_waits_for_ends() {
    let Some(world) = World::new().await else { return };
    let marker = format!("98{}", u32::from_str_radix(&world.installation, 16).unwrap());
    let text = format!("FROM {}\nRUN sleep {marker}\n", world.fixture.image);
    let runs = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            std::fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| line == format!("sleep\0{marker}\0").into_bytes())
        })
    };
    let (request, lines) = (request(&world), Lines::default());
    {
        let build = world.docker.build(&request, context(&text), &lines);
        tokio::pin!(build);
        for _ in 0..200 {
            tokio::select! {
                ended = &mut build => panic!("it ended: {ended:?}"),
                () = tokio::time::sleep(Duration::from_millis(50)) => if runs() { break },
            }
        }
        assert!(runs(), "it did not begin: {}", lines.text());
    }
    for _ in 0..100 {
        if !runs() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_stand_in_for_images() {
    let local = std::env::var("STEADING_TEST_IMAGE").unwrap_or_else(|_| "steading.test/base:bookworm".to_owned());
    let Some((prefix, rest)) = local.split_once('/').map(|(host, rest)| (host.to_owned(), rest.to_owned())) else {
        return;
    };
    let mirrors = BTreeMap::from([("registry.invalid/all".to_owned(), prefix)]);
    let Some(world) = World::with(|config| config.mirrors = mirrors).await else { return };
    let far = ImageRef::new(format!("registry.invalid/all/{rest}"));
    let here = world.docker.inspect(&world.fixture.image).await.unwrap().unwrap();
    assert_eq!(world.docker.inspect(&far).await.unwrap().as_ref(), Some(&here));
    assert_eq!(world.docker.pull(&far, &Lines::default()).await.unwrap(), here);
    let mut trial = world.trial();
    trial.spec.main.image = far.clone();
    world.docker.up(&trial.spec).await.unwrap();
    let request = request(&world);
    world.docker.build(&request, context(&format!("FROM {far}\nRUN true\n")), &Lines::default()).await.unwrap();
    world.drop_images(request.tag.as_str()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_is_taken_away_with_the_installation() {
    let Some(world) = World::new().await else { return };
    let request = request(&world);
    let text = format!("FROM {}\nENV OF={}\n", world.fixture.image, world.installation);
    let built = world.docker.build(&request, context(&text), &Lines::default()).await.unwrap();
    assert_eq!(built.labels["dev.steading/installation"], world.installation);
    // A copy of somebody's own bears the label as well.
    let theirs = format!("somebodys-{}", world.installation);
    let tag = TagImageOptionsBuilder::new().repo(&theirs).tag("1").build();
    world.engine.tag_image(request.tag.as_str(), Some(tag)).await.unwrap();
    world.docker.uninstall().await.unwrap();
    assert_eq!(world.docker.inspect(&request.tag).await.unwrap(), None);
    let kept = ImageRef::new(format!("{theirs}:1"));
    assert!(world.docker.inspect(&kept).await.unwrap().is_some(), "somebody else's image went");
    world.drop_images(&theirs).await;
}
