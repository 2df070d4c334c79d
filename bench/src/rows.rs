//! One file for each thing that is measured.

pub mod gateway;
pub mod launch;
pub mod list;
pub mod memory;
pub mod restart;
pub mod websocket;
