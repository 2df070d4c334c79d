//! Commands and what became of them.

use std::collections::BTreeMap;

use poem_openapi::Object;

/// A command to run in a workspace.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Exec")]
pub struct ExecView {
    /// Program and arguments; one element is run by `/bin/sh -c`.
    #[oai(validator(min_items = 1, max_items = 1024))]
    pub cmd: Vec<String>,
    /// The folder; the workspace's if absent.
    #[oai(validator(max_length = 4096))]
    pub workdir: Option<String>,
    /// The user; the one that people work as if absent.
    #[oai(validator(max_length = 256))]
    pub user: Option<String>,
    /// Environment on top of the workspace's.
    #[oai(default)]
    pub env: BTreeMap<String, String>,
    /// What the command reads from standard input.
    #[oai(validator(max_length = 4194304))]
    pub stdin: Option<String>,
    /// Seconds before it is given up; 600 if absent, 3600 at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "3600")))]
    pub timeout_seconds: Option<u32>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "ExecResult")]
pub struct ExecResultView {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub exit_code: i64,
    /// The first MiB of standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The first MiB of standard error.
    pub stderr: String,
    /// There was more standard output.
    pub stdout_truncated: bool,
    /// There was more standard error.
    pub stderr_truncated: bool,
}
