//! What the store promises, with the same body on SQLite and, where `STEADING_TEST_POSTGRES_URL` names a
//! server, on Postgres; the queue also on Redis where `STEADING_TEST_REDIS_URL` names one.
#![allow(missing_docs, reason = "tests are named by what they promise")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

#[macro_use]
mod world;

mod answers;
mod feed;
mod full;
mod leases;
mod logs;
mod prune;
mod queue;
mod sign_in;
mod workspaces;
