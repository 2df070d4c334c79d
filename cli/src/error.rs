//! What went wrong, by whose side it lies on, and the exit code that goes with it.

use std::process::ExitCode;

use steading_core::Fault;

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
}

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

    /// A fault of the floors below.
    pub fn fault(kind: Kind, fault: &(dyn Fault + '_)) -> Self {
        Self::new(kind, fault.code(), steading_core::report::chain_of(fault)).hint(fault.hint())
    }

    /// Whether the server could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        self.code == "server-unreachable"
    }

    /// Whether it has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Prints it: the message, its output, the hint on a line of its own.
    pub fn print(&self) {
        eprintln!("error: {} [{}]", self.message, self.code);
        for line in self.output.iter().flat_map(|o| o.lines()) {
            eprintln!("  | {line}");
        }
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
    }

    /// The exit code for scripts.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::User => 2,
            Kind::Auth => 3,
            Kind::Server => 4,
            Kind::Internal => 70,
        })
    }
}
