//! Repositories fetched, read, packed and resolved, against a real Git server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod checkout;
mod context;
mod fetch;
mod resolve;
mod server;
mod speed;
mod ssh;
mod world;
