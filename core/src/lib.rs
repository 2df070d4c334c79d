//! The domain of Steading: its words, its rules, and the traits the adapters fulfil.
//!
//! Nothing here does I/O. Decisions are pure functions over values; the crates above act on them.
//!
//! Reading order: [`source`] (what was pasted) → [`resolution`] (what it turned out to be) →
//! [`workspace`] (one person's environment) → [`plan`] (what to do next) → [`pod`] (what the runtime
//! is asked for) → [`runtime`] (who fulfils it) → [`route`] (how a browser finds it) →
//! [`access`] (who may). [`config`], [`event`], [`failure`] and [`fault`] serve all of them.

pub mod access;
pub mod config;
pub mod event;
pub mod failure;
pub mod fault;
pub mod id;
pub mod image;
pub mod inquiry;
pub mod log;
pub mod plan;
pub mod pod;
pub mod policy;
pub mod prebuild;
pub mod queue;
pub mod report;
pub mod resolution;
pub mod route;
pub mod routes;
pub mod runtime;
pub mod secret;
pub mod service;
pub mod slug;
pub mod source;
pub mod ticket;
pub mod workspace;

pub use devcontainer::{Diagnostic, Merged, Stage};
pub use failure::Failure;
pub use fault::{Class, Fault};
pub use id::{InquiryId, PoolId, PrebuildId, SessionId, TokenId, UserId, WorkspaceId};
pub use image::ImageRef;
pub use secret::Secret;
pub use slug::Slug;
pub use source::Source;
pub use workspace::{Desired, Facts, Generation, Owner, Phase, Workspace};
