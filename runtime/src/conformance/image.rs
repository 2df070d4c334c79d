//! Images: there, not there, pulled and built.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use steading_core::fault::Class;
use steading_core::image::ImageRef;
use steading_core::runtime::{BuildRequest, ByteStream, RuntimeError};

use super::{Kept, Lines, Trial, ensure};

pub async fn an_unknown_image_is_none(trial: &Trial<'_>) -> Kept {
    for name in ["steading.test/no-such-image:none", "Not An Image", &format!("sha256:{}", "ab".repeat(32))] {
        let found = trial.runtime.inspect(&ImageRef::new(name)).await?;
        ensure!(found.is_none(), "{name} is {found:?}");
    }
    Ok(())
}

pub async fn an_image_says_what_it_is(trial: &Trial<'_>) -> Kept {
    let found = trial.runtime.inspect(&trial.fixture.image).await?.ok_or("it is not there")?;
    ensure!(found.id.starts_with("sha256:"), "its id is {}", found.id);
    let arch = trial.runtime.info().await?.arch;
    ensure!(found.arch == arch, "its architecture is {}", found.arch);
    let again = trial.runtime.inspect(&ImageRef::new(found.id.clone())).await?;
    ensure!(again.as_ref() == Some(&found), "by its id it is {again:?}");
    Ok(())
}

pub async fn a_pull_from_nowhere_fails(trial: &Trial<'_>) -> Kept {
    let image = ImageRef::new("registry.invalid/steading/nothing:1");
    match trial.runtime.pull(&image, &Lines::default()).await {
        Err(RuntimeError::Pull { image: named, reason, class }) => {
            ensure!(named == image && !reason.is_empty(), "it names {named}: {reason}");
            ensure!(class == Class::Transient, "it is {class:?}: {reason}");
            Ok(())
        }
        other => Err(format!("it says {other:?}").into()),
    }
}

fn context(dockerfile: &str) -> std::io::Result<ByteStream> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in [("sub/Dockerfile.dev", dockerfile), ("hello", "hello\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes())?;
    }
    let bytes = builder.into_inner()?;
    Ok(futures::stream::iter([Ok(bytes.into())]).boxed())
}

fn request(trial: &Trial<'_>) -> BuildRequest {
    BuildRequest {
        tag: ImageRef::new(format!("steading.test/conformance:{}", trial.spec.slug)),
        dockerfile: "sub/Dockerfile.dev".to_owned(),
        target: None,
        args: BTreeMap::new(),
        cache_from: Vec::new(),
        labels: BTreeMap::from([("of.the.request".to_owned(), "{\"a\": [1]}".to_owned())]),
    }
}

pub async fn a_build_makes_an_image(trial: &Trial<'_>) -> Kept {
    let (request, lines) = (request(trial), Lines::default());
    // Each run builds anew; the image is the same, and so leaves nothing behind but its name.
    let dockerfile = format!("FROM {}\nLABEL of.the.file=yes\nENV BUILT=yes\nCOPY hello /hello\n", trial.fixture.image);
    let info = trial.runtime.build(&request, context(&dockerfile)?, &lines).await?;
    ensure!(info.labels.get("of.the.file").map(String::as_str) == Some("yes"), "its labels are {:?}", info.labels);
    ensure!(info.labels.get("of.the.request") == request.labels.get("of.the.request"), "{:?}", info.labels);
    ensure!(info.env.get("BUILT").map(String::as_str) == Some("yes"), "its environment is {:?}", info.env);
    let found = trial.runtime.inspect(&request.tag).await?;
    ensure!(found.as_ref() == Some(&info), "by its name it is {found:?}");
    ensure!(lines.text().contains("build: #"), "the log is {:?}", lines.text());
    Ok(())
}

pub async fn an_image_that_was_built_can_be_forgotten(trial: &Trial<'_>) -> Kept {
    let request = request(trial);
    // Unlike any other trial's, so that it has one name.
    let dockerfile = format!("FROM {}\nENV TRIAL={}\n", trial.fixture.image, trial.spec.slug);
    let info = trial.runtime.build(&request, context(&dockerfile)?, &Lines::default()).await?;
    let is_listed = async || {
        let built = trial.runtime.built().await?;
        Ok::<_, RuntimeError>(built.iter().any(|image| image.name == request.tag && image.id == info.id))
    };
    ensure!(is_listed().await?, "it is not among {:?}", trial.runtime.built().await?);

    let mut spec = trial.spec.clone();
    spec.main.image = ImageRef::new(info.id.clone());
    trial.runtime.up(&spec).await?;
    ensure!(!trial.runtime.forget(&request.tag).await?, "the image of a container went");
    trial.runtime.down(trial.id(), std::time::Duration::from_secs(5)).await?;
    ensure!(!trial.runtime.forget(&request.tag).await?, "the image of a stopped container went");
    ensure!(is_listed().await?, "it stays, and is not listed");
    trial.runtime.remove(trial.id()).await?;

    ensure!(trial.runtime.forget(&request.tag).await?, "it stays, and nothing is of it");
    ensure!(!is_listed().await?, "it is listed, and gone");
    ensure!(trial.runtime.inspect(&request.tag).await?.is_none(), "it is there");
    ensure!(trial.runtime.forget(&request.tag).await?, "what is gone cannot be forgotten");
    ensure!(!trial.runtime.forget(&trial.fixture.image).await?, "somebody else's image was forgotten");
    ensure!(trial.runtime.inspect(&trial.fixture.image).await?.is_some(), "somebody else's image went");
    Ok(())
}

pub async fn a_failing_build_says_where(trial: &Trial<'_>) -> Kept {
    let dockerfile = format!("FROM {}\nRUN false\n", trial.fixture.image);
    match trial.runtime.build(&request(trial), context(&dockerfile)?, &Lines::default()).await {
        Err(RuntimeError::Build(text)) => {
            ensure!(text.contains("RUN false"), "it says {text}");
            Ok(())
        }
        other => Err(format!("it says {other:?}").into()),
    }
}
