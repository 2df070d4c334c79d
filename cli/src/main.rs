//! `steading`: the server's roles and the client's commands in one binary.

mod args;
mod browser;
mod client;
mod commands;
mod error;
mod follow;
mod output;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

/// A request allocates many small things; this gives them out in half the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two crypto providers are in the dependency graph; one has to be chosen before the first connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misspelt(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args)),
        Err(error) => Err(error::CliError::internal(error)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// Help, or why the words cannot be understood.
fn misspelt(error: &clap::Error) -> ExitCode {
    // Help that nobody reads to its end is no error.
    let _ = error.print();
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        // 2 may be the code of the command that was to be run.
        _ if std::env::args().nth(1).as_deref() == Some("exec") => ExitCode::from(error::EXEC_FAILED),
        code => ExitCode::from(u8::try_from(code).unwrap_or(error::EXEC_FAILED)),
    }
}
