//! The control plane's HTTP side: the API under `/v1`, its document, sign-in, and the page.
//!
//! Operations decide nothing about containers: they write what somebody wants into the store and ring
//! a worker. Reading order: [`app`] (what an operation may touch) → [`mounts`] (what is answered, and for
//! whom) → [`caller`] (who may) → [`routes`] (the operations) → [`stream`] (what flows) → [`auth`] (how browsers come in).

pub mod app;
pub mod assets;
pub mod auth;
pub mod bodies;
pub mod body;
pub mod caller;
pub mod creation;
pub mod exec;
mod frames;
pub mod idempotency;
pub mod inquiry;
pub mod listening;
pub mod mounts;
pub mod panics;
pub mod problem;
pub mod rebuild;
pub mod request_id;
pub mod routes;
pub mod serve;
pub mod spec;
pub mod stream;
pub mod templates;
pub mod views;

pub use app::App;
pub use serve::{Listening, Roles, listen, serve};
