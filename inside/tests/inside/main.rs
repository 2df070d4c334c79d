//! The real binary, as a container would run it. Passes as root and as anybody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod boot;
mod credential;
mod hook;
mod lfs;
mod ports;
mod probe;
mod relay;
mod run;
mod term;
mod world;
