//! Where containers live: Docker, and a fake in memory, behind [`steading_core::runtime::Runtime`].
//!
//! [`connect`] picks one by the configuration. [`conformance`] holds the promises that every runtime
//! keeps, so that tests on the fake mean something.

use std::sync::Arc;

use steading_core::config::Config;
use steading_core::runtime::{Result, Runtime, RuntimeError};

pub mod bundle;
pub mod conformance;
pub mod docker;
mod error;
pub mod fake;
mod labels;

/// The runtime that the configuration names, for the installation of this id (8 hexadecimal digits).
///
/// It does not wait for the engine: an engine that is down shows as
/// [`RuntimeError::Unreachable`] in each call until it is up.
///
/// # Errors
/// [`RuntimeError::Refused`] if the configuration names a runtime or an address that we do not know.
pub fn connect(config: &Config, installation: &str) -> Result<Arc<dyn Runtime>> {
    match config.runtime.kind.as_str() {
        "docker" => Ok(Arc::new(docker::Docker::new(config, installation)?)),
        "fake" => Ok(Arc::new(fake::Fake::new())),
        other => {
            Err(RuntimeError::Refused(format!("`runtime.kind` is `{other}`, which is neither `docker` nor `fake`")))
        }
    }
}
