//! Features: what they are called, what they say, in which order they are installed, and how.
//!
//! Nothing is fetched here. A [`Resolver`] names what it must know ([`Need`]) and is given what was
//! [`Found`], until it tells the order; [`Installation`] says which files to lay into a build context, and
//! what to add to a Dockerfile; [`Lockfile`] pins what was found.
//!
//! ```
//! use devcontainer::{DevContainer, feature::{Found, Manifest, Resolver, Step}};
//!
//! let text = r#"{"image": "debian", "features": {"./a": {"greeting": "hi"}}}"#;
//! let config = DevContainer::parse(".devcontainer/devcontainer.json", text).config.expect("an object");
//! let mut resolver = Resolver::new(&config, &Default::default());
//! let features = loop {
//!     match resolver.step()? {
//!         Step::Done(features) => break features,
//!         // Here they would be fetched; `need.reference` says from where.
//!         Step::Needs(needs) => for need in needs {
//!             let text = if need.reference.id() == "a" {
//!                 r#"{"id": "a", "dependsOn": {"./b": {}}, "options": {"greeting": {"default": "hello"}}}"#
//!             } else {
//!                 r#"{"id": "b"}"#
//!             };
//!             let metadata = Some(Manifest::parse("devcontainer-feature.json", text).manifest);
//!             resolver.give(&need, Found::Files { metadata, digest: None });
//!         },
//!     }
//! };
//! assert_eq!(features.iter().map(|feature| feature.id.as_str()).collect::<Vec<_>>(), ["./b", "./a"]);
//! # Ok::<(), devcontainer::feature::ResolveError>(())
//! ```

mod check;
mod collate;
mod compare;
mod graph;
pub mod install;
pub mod lockfile;
pub mod manifest;
pub mod options;
mod order;
pub mod reference;
mod resolved;
mod resolver;
pub mod shorthand;
mod wish;

pub(crate) use check::references;
pub use install::{ContextFile, ContextFolder, InstallError, Installation, Users};
pub use lockfile::{Lockfile, LockfileError};
pub use manifest::{FeatureOption, Manifest, ParsedManifest};
pub use reference::{Local, Oci, Place, Reference, ReferenceError, Release, Tarball};
pub use resolved::Feature;
pub use resolver::{
    ANNOTATION, Found, MAX_DEPTH, MAX_FEATURES, MAX_REFERENCES, MEDIA_TYPE, Need, ResolveError, Resolver, Step,
};
pub use wish::Wish;

#[cfg(test)]
mod tests;
