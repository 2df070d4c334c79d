//! `inside login`: internal; the user's login shell on the terminal that `inside term` gave it.

use crate::account::Account;
use crate::args::{Args, Opt};
use crate::failure::{Failure, NOT_FOUND, Result, say};
use crate::launch::{self, Launch};
use crate::place::Place;
use nix::unistd::fchown;
use rustix::termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How large the terminal is at first, as `COLUMNSxROWS`.
pub const OPTIONS: &[Opt] = &[Opt::Value("size")];

/// Does not return when it works. Standard input, output and error are the terminal.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[launch::OPTIONS, OPTIONS])?;
    args.no_words()?;
    let size = args.text("size")?.map_or(Ok((80, 24)), |text| size(&text))?;
    sit_down(size).map_err(|e| Failure::system("take the terminal", e))?;
    let launch = Launch::parse(place, &args)?;
    let shell = shell(&launch.account)?;
    let mut env = launch.environment(place);
    env.entry("TERM".into()).or_insert_with(|| "xterm-256color".into());
    env.insert("SHELL".into(), shell.clone().into());
    // Programs that open the terminal by its name (screen, gpg) need to own it.
    if nix::unistd::geteuid().is_root() {
        let _ = fchown(std::io::stdin(), Some(launch.account.uid.into()), None);
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

/// Becomes a session of its own on the terminal: who sits there can interrupt, and hangs up on all of it.
fn sit_down((columns, rows): (u16, u16)) -> std::io::Result<()> {
    let terminal = std::io::stdin();
    nix::unistd::setsid()?;
    rustix::process::ioctl_tiocsctty(&terminal)?;
    tcsetwinsize(&terminal, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 })?;
    // Or erasing a character of several bytes would leave some of them behind.
    let mut modes = tcgetattr(&terminal)?;
    modes.input_modes |= InputModes::IUTF8;
    tcsetattr(&terminal, OptionalActions::Now, &modes)?;
    Ok(())
}

fn size(text: &str) -> Result<(u16, u16)> {
    let parsed = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    parsed.ok_or_else(|| Failure::usage(format!("--size wants COLUMNSxROWS, not {text:?}")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_columns_and_rows() {
        assert_eq!(size("132x43").unwrap(), (132, 43));
        for wrong in ["", "80", "80x", "80x24x2", "-1x2", "70000x1"] {
            assert_eq!(size(wrong).unwrap_err().code, "bad-usage", "{wrong}");
        }
    }
}
