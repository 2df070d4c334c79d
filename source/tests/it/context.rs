//! Build contexts from a commit, from a folder, and from what came out of a container.

use std::collections::BTreeMap;
use std::io::Read;

use futures::{StreamExt, TryStreamExt, stream};
use steading_core::fault::Fault;
use steading_core::log::Silent;
use steading_core::runtime::ByteStream;
use steading_source::{Context, Folder};

use crate::world::{World, source};

async fn files(context: Context) -> (String, BTreeMap<String, String>) {
    let bytes = context.tar.try_collect::<Vec<_>>().await.unwrap().concat();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if entry.header().entry_type().is_file() {
            files.insert(path, text);
        }
    }
    (context.dockerfile, files)
}

const FILES: [(&str, &str); 8] = [
    (".devcontainer/Dockerfile", "FROM a"),
    ("app/Dockerfile", "FROM b"),
    ("app/Dockerfile.dockerignore", "*\n!main.c\n"),
    ("app/main.c", "c"),
    ("app/secret", "s"),
    (".dockerignore", "**/secret\nnode_modules\n.devcontainer\n"),
    ("node_modules/x/y", "y"),
    ("readme", "r"),
];

fn names(files: &BTreeMap<String, String>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_of_a_commit_honours_its_rules() {
    let world = World::new().await;
    let repo = world.repo("r", &FILES);
    let git = world.git();
    let from = source(&world.url("r"));
    let commit = repo.head().parse().unwrap();
    let pack = |dockerfile: &'static str, folder: &'static str| {
        let (git, from, commit) = (&git, &from, &commit);
        async move { git.context(from, commit, dockerfile, folder, &Silent).await }
    };
    let (dockerfile, found) = files(pack(".devcontainer/Dockerfile", "").await.unwrap()).await;
    // The rules leave its folder out, so it comes under a name of its own.
    assert_eq!(found[&dockerfile], "FROM a");
    assert!(!found.contains_key("app/secret") && !found.contains_key("node_modules/x/y"));
    assert!(found.contains_key("readme") && found.contains_key("app/main.c"));
    let (dockerfile, found) = files(pack("app/Dockerfile", "app").await.unwrap()).await;
    assert_eq!(found[&dockerfile], "FROM b");
    assert_eq!(names(&found), [".steading.Dockerfile", "main.c"]);
    let (dockerfile, found) = files(pack(".devcontainer/Dockerfile", "app").await.unwrap()).await;
    assert_eq!(found[&dockerfile], "FROM a");
    assert!(found.contains_key("secret"), "the rules of another folder do not count");
    assert_eq!(pack(".devcontainer/Dockerfile", "nope").await.unwrap_err().code(), "folder-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_gives_the_same_context() {
    let world = World::new().await;
    let repo = world.repo("r", &FILES);
    let git = world.git();
    let from = source(&world.url("r"));
    let commit = repo.head().parse().unwrap();
    let of_commit = git.context(&from, &commit, ".devcontainer/Dockerfile", "", &Silent).await.unwrap();
    let of_folder = Folder::open(&repo.path).unwrap().context(".devcontainer/Dockerfile", "").unwrap();
    assert_eq!(files(of_commit).await, files(of_folder).await);
}

fn archive(entries: &[(&str, &str)]) -> ByteStream {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    stream::iter(vec![Ok(bytes.into())]).boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_container_are_unpacked_safely() {
    let world = World::new().await;
    let git = world.git();
    let tar = archive(&[("repo/a", "1"), ("repo/../../evil", "2"), ("repo/.git/config", "3"), ("repo/dir/b", "4")]);
    let unpacked = git.unpack(tar).await.unwrap();
    use devcontainer::Tree;
    assert_eq!(unpacked.read("a").unwrap(), b"1");
    assert_eq!(unpacked.read("dir/b").unwrap(), b"4");
    assert_eq!(unpacked.entries("").len(), 2);
    assert!(git.unpack(stream::iter(vec![Ok("garbage".repeat(1000).into())]).boxed()).await.is_err());
}
