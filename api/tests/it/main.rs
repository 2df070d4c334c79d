//! The API over its real store, with the fake runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod idempotency;
mod openapi;
mod problems;
mod sign_in;
mod strangers;
mod streams;
mod workspaces;
mod world;
