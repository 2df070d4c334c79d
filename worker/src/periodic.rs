//! What happens without being asked for: sweeping, and watching the runtime.

pub(crate) mod orphans;
pub(crate) mod sweep;
pub(crate) mod watch;
