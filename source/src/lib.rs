//! What comes from outside: repositories now, registries later.
//!
//! From a source to a resolution, and to bytes: [`git`] pins a reference to a commit and fetches it
//! into a cache → [`tree`] reads its files → [`resolve`] says what it is, with the fallbacks of
//! [`templates`] → [`context`] packs what a build needs → [`checkout`] packs the working copy with its
//! history, submodules and large files. For a rebuild, configuration and context come out of the workspace
//! itself; [`folder`] holds the small files that decide.
//!
//! Features and their registries get their place beside `git` with the release that installs them.

mod archive;
pub mod checkout;
pub mod context;
pub mod error;
pub mod folder;
pub mod git;
mod report;
pub mod resolve;
mod scratch;
pub mod templates;
mod tidy;
pub mod tree;

pub use checkout::Checkout;
pub use context::Context;
pub use error::GitError;
pub use git::{Git, Pinned};
pub use resolve::{NoPrebuilds, Place, PrebuildLookup, ResolveError, Resolver};
pub use templates::Templates;
pub use tree::GitTree;
