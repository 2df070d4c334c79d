//! What every error says about itself, so that nobody above has to match on foreign errors.

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The network, the disk or the engine had a bad moment: the same call may succeed later.
    Transient,
    /// The same call will fail again until somebody changes something.
    Permanent,
    /// Somebody is not allowed to, or a rule forbids it.
    Denied,
}

/// An error that answers: again? which one? what now?
pub trait Fault: std::error::Error {
    /// Whether trying again can help.
    fn class(&self) -> Class;

    /// A stable name in kebab-case, documented and safe to match on.
    fn code(&self) -> &'static str;

    /// One sentence that says what to do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}
