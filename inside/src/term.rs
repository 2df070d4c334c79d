//! `inside term`: the user's login shell, for a terminal somebody sits at.

use crate::account::Account;
use crate::args::Args;
use crate::failure::{Failure, NOT_FOUND, Result, say};
use crate::launch::{self, Launch};
use crate::place::Place;
use nix::unistd::{fchown, isatty};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Does not return when it works.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[launch::OPTIONS])?;
    args.no_words()?;
    let launch = Launch::parse(place, &args)?;
    let shell = shell(&launch.account)?;
    let mut env = launch.environment(place);
    env.entry("TERM".into()).or_insert_with(|| "xterm-256color".into());
    env.insert("SHELL".into(), shell.clone().into());
    // Programs that open the terminal by its name (screen, gpg) need to own it.
    let input = std::io::stdin();
    if isatty(&input).unwrap_or(false) && nix::unistd::geteuid().is_root() {
        let _ = fchown(&input, Some(launch.account.uid.into()), None);
    }
    launch::switch(&launch.account)?;
    let home = env.get(OsStr::new("HOME")).cloned().unwrap_or_else(|| "/".into());
    for folder in [launch.cwd.as_deref(), Some(Path::new(&home)), Some(Path::new("/"))].into_iter().flatten() {
        match launch::enter(folder) {
            Ok(()) => break,
            Err(failure) => say(failure),
        }
    }
    // A name that starts with a dash makes any shell a login shell.
    let name = format!("-{}", shell.rsplit('/').next().unwrap_or("sh"));
    Err(launch::exec(&[OsString::from(shell)], Some(name.into()), env))
}

fn shell(account: &Account) -> Result<String> {
    let named =
        account.shell.as_deref().filter(|s| !matches!(s.rsplit('/').next(), Some("nologin" | "false" | "sync")));
    let candidates = [named, Some("/bin/bash"), Some("/bin/sh")];
    candidates.into_iter().flatten().find(|shell| executable(Path::new(shell))).map(str::to_owned).ok_or_else(|| {
        Failure::new("no-shell", NOT_FOUND, "this image has no shell; add one (busybox or bash) to open a terminal")
    })
}

/// Whether it is a file somebody may execute.
pub fn executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
