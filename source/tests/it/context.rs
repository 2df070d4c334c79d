//! Build contexts from a commit, and from what comes out of a container.

use std::collections::BTreeMap;
use std::io::Read;

use futures::{StreamExt, TryStreamExt, stream};
use steading_core::fault::Fault;
use steading_core::log::Silent;
use steading_core::runtime::ByteStream;
use steading_source::folder::Listed;
use steading_source::{Context, Git, context};

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

/// What an engine makes of a folder: everything in it, under its name.
fn archive(name: &str, files: &[(&str, &str)]) -> ByteStream {
    let mut builder = tar::Builder::new(Vec::new());
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_mode(0o755);
    folder.set_size(0);
    builder.append_data(&mut folder, format!("{name}/"), std::io::empty()).unwrap();
    for (path, content) in files {
        let path = format!("{name}/{path}");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    let mut same = tar::Header::new_gnu();
    same.set_entry_type(tar::EntryType::Link);
    same.set_size(0);
    builder.append_link(&mut same, format!("{name}/linked"), format!("{name}/readme")).unwrap();
    let bytes = builder.into_inner().unwrap();
    stream::iter(bytes.chunks(1000).map(|piece| Ok(piece.to_vec().into())).collect::<Vec<_>>()).boxed()
}

fn deciding(files: &[(&str, &str)], dockerfile: &str, folder: &str) -> Listed {
    let wanted = context::deciding(dockerfile, folder);
    let there = files.iter().filter(|(path, _)| wanted.iter().any(|wanted| wanted == path));
    there.fold(Listed::default(), |all, (path, content)| all.with(path, content))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_container_gives_the_same_context() {
    let world = World::new().await;
    let repo = world.repo("r", &FILES);
    let git = world.git();
    let from = source(&world.url("r"));
    let commit = repo.head().parse().unwrap();
    let of_commit = git.context(&from, &commit, ".devcontainer/Dockerfile", "", &Silent).await.unwrap();
    let own = deciding(&FILES, ".devcontainer/Dockerfile", "");
    let of_folder = git.context_of(archive("r", &FILES), &own, ".devcontainer/Dockerfile", "").unwrap();
    assert_eq!(files(of_commit).await, files(of_folder).await);
    let missing = git.context_of(archive("r", &FILES), &Listed::default(), ".devcontainer/Dockerfile", "");
    assert_eq!(missing.unwrap_err().code(), "folder-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_build_does_not_see_of_a_container_does_not_count() {
    let world = World::new().await;
    let mut config = world.config();
    config.source.max_mib = 1;
    let git = Git::new(&config).unwrap();
    let large = "x".repeat(900 << 10);
    let mut there =
        vec![("Dockerfile", "FROM a"), (".dockerignore", "node_modules\n"), ("readme", "r"), ("../../evil", "e")];
    for path in ["node_modules/a", "node_modules/b", ".git/objects/c", "sub/.git/d", "seen"] {
        there.push((path, &large));
    }
    let own = deciding(&there, "Dockerfile", "");
    let (dockerfile, found) = files(git.context_of(archive("r", &there), &own, "Dockerfile", "").unwrap()).await;
    assert_eq!((found[&dockerfile].as_str(), found["seen"].len()), ("FROM a", large.len()));
    assert_eq!(names(&found), [".dockerignore", "Dockerfile", "readme", "seen"]);

    there.push(("also", &large));
    let context = git.context_of(archive("r", &there), &own, "Dockerfile", "").unwrap();
    let broken = context.tar.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(broken.to_string().contains("source.max_mib"), "{broken}");

    let file = stream::iter(vec![Ok("garbage".repeat(1000).into())]).boxed();
    let context = git.context_of(file, &own, "Dockerfile", "").unwrap();
    assert!(context.tar.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_beyond_the_limits_is_refused_before_the_first_byte() {
    let world = World::new().await;
    let rules = "x\n".repeat(1001);
    let repo = world.repo("r", &[("Dockerfile", "FROM a"), (".dockerignore", "zeros\n")]);
    // Next to nothing as it is fetched.
    for folder in ["", "large/", "left-out/"] {
        std::fs::create_dir_all(repo.path.join(folder)).unwrap();
        std::fs::write(repo.path.join(format!("{folder}zeros")), vec![0; 3 << 20]).unwrap();
    }
    repo.commit(&[("left-out/.dockerignore", "zeros\n"), ("rules/.dockerignore", &rules)]);
    let mut config = world.config();
    config.source.max_mib = 2;
    let git = Git::new(&config).unwrap();
    let from = source(&world.url("r"));
    let commit = repo.head().parse().unwrap();
    let refused = async |commit, folder| {
        let error = git.context(&from, commit, "Dockerfile", folder, &Silent).await.unwrap_err();
        (error.code(), error.to_string(), error.hint().unwrap())
    };
    let (code, message, hint) = refused(&commit, "large").await;
    assert_eq!((code, &*message), ("build-context-too-large", "the build context is larger than 2 MiB"));
    assert!(hint.contains(".dockerignore") && hint.contains("source.max_mib"), "{hint}");
    let (code, message, _) = refused(&commit, "rules").await;
    assert_eq!(code, "dockerignore-too-large");
    assert!(message.starts_with("rules/.dockerignore has more than 1000 rules"), "{message}");
    let (_, found) = files(git.context(&from, &commit, "Dockerfile", "left-out", &Silent).await.unwrap()).await;
    assert_eq!(names(&found), [".dockerignore", ".steading.Dockerfile"]);

    // Eight folders, each of which holds the next one ten times: a hundred million files.
    repo.commit(&[("empty/file", "")]);
    let mut tree = repo.git(&["rev-parse", "HEAD:empty"]);
    for _ in 0..8 {
        tree = repo.tree(&(0..10).map(|n| format!("040000 tree {tree}\t{n}\n")).collect::<String>());
    }
    let file = repo.git(&["rev-parse", "HEAD:Dockerfile"]);
    let root = repo.tree(&format!("100644 blob {file}\tDockerfile\n040000 tree {tree}\tbomb\n"));
    let bomb = repo.git(&["commit-tree", &root, "-m", "bomb"]);
    repo.git(&["update-ref", "refs/heads/bomb", &bomb]);
    let (code, message, _) = refused(&bomb.parse().unwrap(), "").await;
    assert_eq!(
        (code, &*message),
        ("build-context-too-large", "the build context has more than 2000000 files and folders")
    );
}
