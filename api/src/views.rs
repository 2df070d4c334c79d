//! What the outside sees: never a row, never a domain type.

pub mod event;
pub mod exec;
pub mod port;
pub mod prebuild;
pub mod refs;
pub mod resolution;
pub mod token;
pub mod workspace;
