//! `inside as`: become a user and a command.

use crate::args::{Args, Opt};
use crate::failure::Result;
use crate::launch::{self, Launch, inherited};
use crate::place::Place;
use std::ffi::OsString;

const OPTIONS: &[Opt] = &[Opt::Flag("exact"), Opt::Flag("session")];

/// Does not return when it works.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[launch::OPTIONS, OPTIONS])?;
    args.no_words()?;
    let launch = Launch::parse(place, &args)?;
    // `--exact` is for our own children: their environment is finished.
    let env = if args.has("exact") { inherited() } else { launch.environment(place) };
    if args.has("session") {
        let _ = nix::unistd::setsid();
    }
    launch::switch(&launch.account)?;
    if let Some(cwd) = &launch.cwd {
        launch::enter(cwd)?;
    }
    Err(launch::exec(&args.tail, None, env))
}
