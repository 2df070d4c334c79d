//! How a browser signs in, and how it gets from the control plane into a workspace.

pub mod enter;
pub mod link;
pub mod session;
