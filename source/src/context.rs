//! What a build sees: a folder of a commit, or of a workspace, without what `.dockerignore` leaves out.

use devcontainer::Tree;
use steading_core::log::LogSink;
use steading_core::runtime::ByteStream;
use steading_core::source::{Commit, GitSource};
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::archive;
use crate::error::GitError;
use crate::folder::Listed;
use crate::git::{Git, STREAM};
use crate::report::blocking;
use crate::tree::GitTree;

mod ignore;
mod walk;

use ignore::Ignore;

/// Where a Dockerfile is put that is not in the context.
const OUTSIDE: &str = ".steading.Dockerfile";

/// A build context on its way.
pub struct Context {
    /// The archive.
    pub tar: ByteStream,
    /// The Dockerfile's path inside the archive.
    pub dockerfile: String,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("dockerfile", &self.dockerfile).finish_non_exhaustive()
    }
}

/// What to pack, decided before the first byte.
#[derive(Debug)]
struct Plan {
    /// The folder, from the root of the repository.
    folder: String,
    ignore: Ignore,
    /// The Dockerfile from the folder, which is sent whatever the rules say; or, where it is outside or
    /// left out, its content.
    dockerfile: Result<String, Vec<u8>>,
}

impl Plan {
    fn of(tree: &dyn Tree, dockerfile: &str, folder: &str) -> Result<Self, GitError> {
        let folder = folder.trim_matches('/');
        let [_, own, common] = deciding(dockerfile, folder);
        let content = tree.read(dockerfile).ok_or_else(|| GitError::NoFolder(dockerfile.to_owned()))?;
        // A file named after the Dockerfile goes before the one of the context.
        let found = [own, common].into_iter().find_map(|path| Some((tree.read(&path)?, path)));
        let (text, path) = found.unwrap_or_default();
        let too_large = || GitError::IgnoreTooLarge { path, rules: ignore::MAX_RULES, kib: ignore::MAX_KIB };
        let ignore = Ignore::parse(&String::from_utf8_lossy(&text)).ok_or_else(too_large)?;
        let inside = match folder {
            "" => Some(dockerfile),
            folder => dockerfile.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
        };
        let dockerfile = match inside {
            Some(path) if !ignore.excludes(path) => Ok(path.to_owned()),
            _ => Err(content),
        };
        Ok(Self { folder: folder.to_owned(), ignore, dockerfile })
    }

    fn dockerfile(&self) -> String {
        self.dockerfile.clone().unwrap_or_else(|_| OUTSIDE.to_owned())
    }
}

/// The files that decide what is packed: the Dockerfile, and where rules may be.
#[must_use]
pub fn deciding(dockerfile: &str, folder: &str) -> [String; 3] {
    let folder = folder.trim_matches('/');
    let common = if folder.is_empty() { ".dockerignore".to_owned() } else { format!("{folder}/.dockerignore") };
    [dockerfile.to_owned(), format!("{dockerfile}.dockerignore"), common]
}

impl Git {
    /// Packs a folder of a commit for a build. Paths are from the root of the repository. What the rules
    /// leave out never counts; the rest is at most `source.max_mib`, which is known before the first byte.
    ///
    /// # Errors
    /// See [`GitError`].
    pub async fn context(
        &self,
        source: &GitSource,
        commit: &Commit,
        dockerfile: &str,
        folder: &str,
        log: &dyn LogSink,
    ) -> Result<Context, GitError> {
        let mirror = self.ensure_files(source, commit, None, log).await?;
        let (at, dockerfile, folder) = (commit.clone(), dockerfile.to_owned(), folder.to_owned());
        let limit_mib = self.inner.settings.max_mib;
        let (tree, plan) = blocking(log, STREAM, move |reporter| {
            let tree = GitTree::open(&mirror, &at)?;
            if !folder.trim_matches('/').is_empty() && tree.entries(&folder).is_empty() {
                return Err(GitError::NoFolder(folder));
            }
            let plan = Plan::of(&tree, &dockerfile, &folder)?;
            tree.with_root(|repository, root| {
                walk::survey(repository, root, &plan.folder, &plan.ignore, limit_mib, &reporter)
            })?;
            Ok((tree, plan))
        })
        .await?;
        let dockerfile = plan.dockerfile();
        let tar = archive::stream((0, 0), move |archive| {
            outside(archive, &plan)?;
            tree.with_root(|repository, root| walk::commit(archive, repository, root, &plan.folder, &plan.ignore))
        });
        Ok(Context { tar, dockerfile })
    }

    /// Packs a folder of a workspace for a build, while it arrives: `folder` is the archive that an engine
    /// makes of it, under its own name. `files` has what [`deciding`] names, as far as it is there. What the
    /// rules leave out never counts; the rest is at most `source.max_mib`. Call it inside a runtime.
    ///
    /// # Errors
    /// [`GitError::NoFolder`] if the Dockerfile is not there.
    pub fn context_of(
        &self,
        packed: ByteStream,
        files: &Listed,
        dockerfile: &str,
        folder: &str,
    ) -> Result<Context, GitError> {
        let plan = Plan::of(files, dockerfile, folder)?;
        let dockerfile = plan.dockerfile();
        let limit_mib = self.inner.settings.max_mib;
        let from = SyncIoBridge::new(StreamReader::new(packed));
        let tar = archive::stream((0, 0), move |archive| {
            outside(archive, &plan)?;
            walk::packed(archive, from, &plan.ignore, limit_mib)
        });
        Ok(Context { tar, dockerfile })
    }
}

fn outside(archive: &mut archive::Archive, plan: &Plan) -> std::io::Result<()> {
    match &plan.dockerfile {
        Ok(_) => Ok(()),
        Err(content) => archive.file(OUTSIDE, 0o644, content),
    }
}
