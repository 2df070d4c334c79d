//! A commit as a tar stream: the working copy with its `.git`, full history, submodules and large files.
//!
//! Nothing is unpacked here. The stream is written from the cache: packs are copied as they are, files are
//! read from the object database, the index is made from the tree. What needs the network is fetched
//! before the first byte, so that what is missing is known by then.

use devcontainer::Diagnostic;
use steading_core::log::LogSink;
use steading_core::runtime::ByteStream;
use steading_core::source::{Commit, GitSource};
use url::Url;

use crate::archive;
use crate::error::GitError;
use crate::git::Git;

mod dotgit;
mod lfs;
mod modules;
mod plan;
mod push;
mod survey;
mod worktree;

/// A working copy on its way.
pub struct Checkout {
    /// The archive, to be unpacked into the workspace's folder.
    pub tar: ByteStream,
    /// Where submodules that are there come from, without secrets.
    pub submodules: Vec<Url>,
    /// What is missing, and why.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Debug for Checkout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkout").field("diagnostics", &self.diagnostics).finish_non_exhaustive()
    }
}

impl Git {
    /// Packs a commit with everything that belongs to it. `branch` is checked out at the commit and
    /// follows its counterpart at the remote; without one HEAD is detached. Everything belongs to
    /// `owner`, a user and a group by number.
    ///
    /// # Errors
    /// See [`GitError`]. A submodule or large file that cannot be had is a diagnostic instead.
    pub async fn checkout(
        &self,
        source: &GitSource,
        commit: &Commit,
        branch: Option<&str>,
        owner: (u32, u32),
        log: &dyn LogSink,
    ) -> Result<Checkout, GitError> {
        let (parts, diagnostics) = plan::plan(self, source, commit, branch, log).await?;
        let submodules = parts.iter().skip(1).map(|part| part.origin.clone()).collect();
        let scratch = self.inner.scratch.folder()?;
        // The temporary folder goes when nobody has the cache open any more.
        let git = self.clone();
        let tar = archive::stream(owner, move |archive| {
            archive.root()?;
            let mut room = worktree::Room::new(git.inner.settings.max_mib);
            for part in &parts {
                dotgit::write(archive, part, scratch.path())?;
                worktree::write(archive, part, &mut room)?;
            }
            Ok(())
        });
        Ok(Checkout { tar, submodules, diagnostics })
    }
}
