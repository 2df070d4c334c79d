//! `inside`: the small static helper delivered read-only into every workspace container.
//!
//! It is the container's main program, and what the control plane calls through exec streams: it becomes users, asks
//! their shells for an environment, runs hooks once and services at all, relays connections to loopback ports, and
//! says what the image has. README.md beside this crate has every command line, exit status and wire format.

mod account;
mod args;
mod as_user;
mod boot;
mod credential;
mod failure;
mod frame;
mod hook;
mod job;
mod journal;
mod launch;
mod lfs;
mod login;
mod look;
mod ownership;
mod place;
mod ports;
mod probe;
mod process;
mod relay;
mod rights;
mod room;
mod run;
mod runner;
mod service;
mod term;
mod unread;

use failure::{Failure, Result, say};
use place::Place;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
inside main                                              the container's main program; specification in STEADING_INSIDE
inside as    --user U [--cwd D] [--env K=V].. -- CMD..    become a user and a command
inside run   --user U [--cwd D] [--env K=V].. -- CMD..    a command that ends with whoever waits for it
inside term  --user U [--cwd D] [--size CxR]              a terminal with the user's login shell
inside probe --user U --mode M [--timeout S]              userEnvProbe: the environment as JSON
inside hook  run --key K --user U .. -- CMD..             run once per key, follow the output
inside hook  follow | status | kill KEY
inside service start | stop | status | log NAME
inside gate  open | close | status
inside relay                                             connections to loopback ports over stdin and stdout
inside ports [--watch]                                   who listens, as JSON lines
inside user  NAME                                        an account as JSON
inside credential get | store | erase                    Git's credential helper
inside credential deliver --user U                       what it answers, from standard input
inside lfs-clean | lfs-smudge FILE                       Git LFS's filter, where the image has none
inside look  [--user U]                                  what the image has, as JSON
";

fn main() -> ExitCode {
    process::hear_all_signals();
    match run(std::env::args_os().skip(1).collect()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if failure.code != "unread" {
                say(&failure);
            }
            ExitCode::from(failure.exit)
        }
    }
}

fn run(mut words: Vec<OsString>) -> Result<u8> {
    let place = place(&mut words)?;
    if words.is_empty() {
        return Err(Failure::usage("no command; `inside help` lists them"));
    }
    let command = words.remove(0);
    match command.to_str().unwrap_or_default() {
        "main" => boot::command(&place),
        "as" => as_user::command(&place, words),
        "run" => run::command(&place, words),
        "term" => term::command(&place, words),
        "login" => login::command(&place, words),
        "probe" => probe::command(&place, words),
        "hook" => hook::command(&place, words),
        "service" => service::command(&place, words),
        "gate" => service::gate(&place, words),
        "runner" => runner::command(&place, words),
        "relay" => relay::command(words),
        "ports" => ports::command(words),
        "user" => look::user(&place, words),
        "credential" => credential::command(&place, words),
        "lfs-clean" => lfs::clean(words),
        "lfs-smudge" => lfs::smudge(words),
        "look" => look::command(&place, words),
        "version" | "--version" => print(env!("CARGO_PKG_VERSION")),
        "help" | "--help" => print(HELP.trim_end()),
        _ => Err(Failure::usage(format!("no command {command:?}; `inside help` lists them"))),
    }
}

/// `--root DIR` and `--state DIR` in front of the command, for tests.
fn place(words: &mut Vec<OsString>) -> Result<Place> {
    let (mut root, mut state) = (None, None);
    while let Some(option) = words.first().and_then(|w| w.to_str()).filter(|w| matches!(*w, "--root" | "--state")) {
        let target = if option == "--root" { &mut root } else { &mut state };
        if words.len() < 2 {
            return Err(Failure::usage("--root and --state want a folder"));
        }
        words.remove(0);
        *target = Some(PathBuf::from(words.remove(0)));
    }
    Ok(Place::new(root, state))
}

fn print(text: &str) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map(|()| 0).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => unread(),
        _ => Failure::system("write output", error),
    })
}

/// Prints one line of JSON.
fn print_json(value: &impl Serialize) -> Result<u8> {
    let text = serde_json::to_string(value).map_err(|e| Failure::system("write JSON", std::io::Error::from(e)))?;
    print(&text)
}

/// Whoever read our output is gone; as if SIGPIPE had ended us.
fn unread() -> Failure {
    Failure::new("unread", 141, "nobody reads the output")
}

/// Fails when nobody reads standard output any more: a watcher must not outlive whoever watches.
fn still_read() -> Result<()> {
    match hook::unread(&std::io::stdout().as_fd()) {
        true => Err(unread()),
        false => Ok(()),
    }
}
