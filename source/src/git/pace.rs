//! Whether a host that sends is quick enough to be waited for.

use std::time::Duration;

/// The least that has to come in one window. What a host says while it packs is more than that.
pub(crate) const LEAST: u64 = 1024;

/// Counts what comes while we wait for it. The time in which nobody asked for more does not count.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// For a host whose silence is borne for `patience`.
    pub fn new(patience: Duration) -> Self {
        Self { window: window(patience), waited: Duration::ZERO, bytes: 0 }
    }

    /// Notes that so many bytes came after so long. `false` if that is next to nothing.
    pub fn keeps_up(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited = self.waited.saturating_add(waited);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < self.window {
            return true;
        }
        let enough = self.bytes >= LEAST;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

/// How long a host may take for the least.
pub(crate) fn window(patience: Duration) -> Duration {
    patience.saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_drips_does_not_keep_up() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second);
        assert!((0..3).all(|_| pace.keeps_up(second, 1)));
        assert!(!pace.keeps_up(second, 1));
        assert!((0..40).all(|_| pace.keeps_up(second, 300)), "slow, and it goes on");
        assert!((0..40).all(|_| pace.keeps_up(Duration::ZERO, 1)), "nobody waited for these");
    }
}
