//! What happens without being asked for: sweeping, tidying up, and watching the runtime.

pub(crate) mod orphans;
pub(crate) mod sweep;
pub(crate) mod tidy;
pub(crate) mod watch;
