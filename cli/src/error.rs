//! What went wrong, by whose side it lies on, and the exit code that goes with it.

use std::fmt;
use std::process::ExitCode;

use steading_core::Fault;

use crate::output::note;

/// The code of a server that does not answer.
const UNREACHABLE: &str = "server-unreachable";

/// Whose side a failure lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command or what it names is wrong: exit code 2.
    User,
    /// No credential, or one that does not hold: exit code 3.
    Auth,
    /// The server or the workspace failed: exit code 4.
    Server,
    /// Our own fault: exit code 70 (sysexits.h, EX_SOFTWARE).
    Internal,
    /// Whatever it was, the command in the workspace did not end: exit code 125, as with `docker exec`,
    /// because any other may be that command's own.
    Exec,
    /// Nobody reads our output any more: 141, as a shell counts SIGPIPE.
    NobodyReads,
}

impl Kind {
    const fn exit_code(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Auth => 3,
            Self::Server => 4,
            Self::Internal => 70,
            Self::Exec => EXEC_FAILED,
            Self::NobodyReads => 141,
        }
    }
}

/// The exit code of `steading exec` where the command in the workspace did not end by itself.
pub const EXEC_FAILED: u8 = 125;

/// An error as the person at the terminal sees it.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    code: String,
    message: String,
    hint: Option<String>,
    output: Option<String>,
}

impl CliError {
    /// An error with a stable code.
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), hint: None, output: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with the output that explains it.
    #[must_use]
    pub fn output(mut self, output: Option<String>) -> Self {
        self.output = output;
        self
    }

    /// Something of our own broke.
    pub fn internal(error: impl std::error::Error) -> Self {
        Self::new(Kind::Internal, "internal", steading_core::report::chain(&error))
    }

    /// Whoever read our output has gone: the end of the command, and nothing to complain of.
    pub fn nobody_reads() -> Self {
        Self::new(Kind::NobodyReads, "nobody-reads", "nobody reads the output")
    }

    /// The server does not answer, or something in front of it does in its place.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Server, UNREACHABLE, message)
            .hint("Check that `steading serve` runs and that the address is right.".to_owned())
    }

    /// The same as a failure of `steading exec` itself.
    #[must_use]
    pub fn of_exec(mut self) -> Self {
        if self.kind != Kind::NobodyReads {
            self.kind = Kind::Exec;
        }
        self
    }

    /// A fault of the floors below.
    pub fn fault(kind: Kind, fault: &(dyn Fault + '_)) -> Self {
        Self::new(kind, fault.code(), steading_core::report::chain_of(fault)).hint(fault.hint())
    }

    /// Whether the server could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        self.code == UNREACHABLE
    }

    /// Whether it has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Prints it: the message, its output, the hint on a line of its own.
    pub fn print(&self) {
        if self.kind == Kind::NobodyReads {
            return;
        }
        note!("error: {self}");
        for line in self.output.iter().flat_map(|o| o.lines()) {
            note!("  | {line}");
        }
        if let Some(hint) = &self.hint {
            note!("hint: {hint}");
        }
    }

    /// The exit code for scripts.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit_code())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}
