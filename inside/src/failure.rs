//! What went wrong, with a stable code and an exit status: the only error type of this program.

use std::fmt;
use std::io;

/// Wrong words on the command line.
pub const USAGE: u8 = 64;
/// A folder or file that was asked for is not there.
pub const NO_INPUT: u8 = 66;
/// The user is not known in this image.
pub const NO_USER: u8 = 67;
/// The hook or service that was asked about does not exist.
pub const ABSENT: u8 = 69;
/// The system refused something it normally allows.
pub const SYSTEM: u8 = 71;
/// Bytes that break the wire format.
pub const PROTOCOL: u8 = 76;
/// Becoming that user, or touching that file, is not allowed.
pub const DENIED: u8 = 77;
/// A specification that cannot be read.
pub const CONFIG: u8 = 78;
/// A hook ran into its time limit.
pub const TIMED_OUT: u8 = 124;
/// A hook was interrupted, so its result is unknown.
pub const INTERRUPTED: u8 = 125;
/// A command exists and cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// A command does not exist.
pub const NOT_FOUND: u8 = 127;

/// Result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Failure>;

/// One failure: printed as `inside: CODE: MESSAGE`, and the process exits with `exit`.
#[derive(Debug)]
pub struct Failure {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// Exit status of the process.
    pub exit: u8,
    /// One sentence for people.
    pub message: String,
}

impl Failure {
    /// A failure of any kind.
    pub fn new(code: &'static str, exit: u8, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, exit, message }
    }

    /// Wrong words on the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("bad-usage", USAGE, message)
    }

    /// The system refused: what we were doing, and its answer.
    pub fn system(doing: impl fmt::Display, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let message = format!("cannot {doing}: {error}");
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::new("not-permitted", DENIED, message),
            _ => Self::new("system-error", SYSTEM, message),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Writes one line for people to standard error; a closed standard error is no reason to stop.
pub fn say(message: impl fmt::Display) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "inside: {message}");
}
