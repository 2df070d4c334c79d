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
    let args = args::Args::parse();
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
