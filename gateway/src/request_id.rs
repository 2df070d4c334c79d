//! What one request is called, in its answer and in the log.

use std::fmt;

/// The name of one request. Whoever listens gives it, as an extension of the request; it is written out
/// only where somebody gets to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The header of an answer that has it.
    pub const HEADER: &str = "x-request-id";

    /// A name from a random number.
    #[must_use]
    pub const fn new(random: u64) -> Self {
        Self(random)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
