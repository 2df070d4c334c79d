//! One file for each command, or for a few that belong together.

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::output::say;

mod change;
mod config;
mod exec;
mod list;
mod logs;
mod open;
mod serve;
mod token;
mod up;

/// Runs a command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Serve(args) => serve::run(args, serve::Role::ALL).await?,
        Command::Api(args) => serve::run(args, serve::Role::API).await?,
        Command::Gateway(args) => serve::run(args, serve::Role::GATEWAY).await?,
        Command::Worker(args) => serve::run(args, serve::Role::WORKER).await?,
        Command::Config(args) => config::run(&args)?,
        Command::Openapi => say!("{}", steading_api::spec::document())?,
        Command::SignIn(args) => serve::sign_in(args).await?,
        Command::Up(args) => up::run(args).await?,
        Command::Resolve(args) => up::resolve(args).await?,
        Command::Ls(args) => list::run(args).await?,
        Command::Show(args) => list::show(args).await?,
        Command::Open(args) => open::run(args).await?,
        Command::Logs(args) => logs::run(args).await?,
        Command::Exec(args) => return exec::run(args).await.map_err(CliError::of_exec),
        Command::Stop(args) => change::stop(args).await?,
        Command::Start(args) => change::start(args).await?,
        Command::Rebuild(args) => change::rebuild(args).await?,
        Command::Rm(args) => change::remove(args).await?,
        Command::Token(command) => token::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
