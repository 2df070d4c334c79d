//! `inside credential`: Git's credential helper, and where it has its answers from.
//!
//! Whoever drives the workspace delivers them over standard input after every start of the container. They
//! lie in memory, in a file of the one user who works here, and are gone when the container stops.

use crate::account::Account;
use crate::args::{Args, Opt};
use crate::failure::{DENIED, Failure, Result, SYSTEM};
use crate::place::{Place, replace};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::geteuid;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The folder in memory that every container has, whatever its image.
const MEMORY: &str = "/dev/shm";
/// More than this is no list of credentials and no question of Git's.
const LONGEST: u64 = 1 << 20;

/// Who we are at one host, and for which repositories there.
#[derive(Deserialize)]
struct Entry {
    protocol: String,
    host: String,
    paths: Vec<String>,
    username: String,
    password: String,
}

/// What Git asks (git-credential(1)).
#[derive(Default)]
struct Question {
    protocol: String,
    host: String,
    path: String,
    username: Option<String>,
}

/// `inside credential deliver --user USER`, and what Git calls: `get`, `store`, `erase`
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[&[Opt::Value("user")]])?;
    match args.word("command")?.as_str() {
        "deliver" => deliver(place, &Account::find(place, &args.needed("user")?)?),
        "get" => get(place),
        // What is here was delivered, and is neither learnt nor forgotten.
        "store" | "erase" => hear_out(),
        other => Err(Failure::usage(format!("no command {other:?}; get, store, erase and deliver are known"))),
    }
}

/// Reads what Git says to its end: it need not bear that nobody listens.
fn hear_out() -> Result<u8> {
    let heard = io::copy(&mut io::stdin().lock().take(LONGEST), &mut io::sink());
    heard.map(|_| 0).map_err(|error| Failure::system("read standard input", error))
}

fn file_of(place: &Place, uid: u32) -> PathBuf {
    place.path(MEMORY).join(format!(".steading-git-{uid}"))
}

/// Takes the answers from standard input. Nothing at all takes them away.
fn deliver(place: &Place, to: &Account) -> Result<u8> {
    let folder = place.path(MEMORY);
    let doing = |what: &'static str| move |error: io::Error| Failure::system(what, error);
    let kind = statfs(&folder).map_err(|error| Failure::system("look at /dev/shm", error))?.filesystem_type();
    if kind != TMPFS_MAGIC {
        return Err(Failure::new("no-memory", SYSTEM, "/dev/shm is no file system in memory"));
    }
    let mut text = Vec::new();
    io::stdin().lock().take(LONGEST).read_to_end(&mut text).map_err(doing("read standard input"))?;
    let path = file_of(place, to.uid);
    if text.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::system("take the credentials away", error))
            }
            _ => Ok(0),
        };
    }
    // Whole or not at all: Git may ask at any moment. Everybody may write into the folder: what somebody put
    // there under one of the names is not followed.
    replace(&path, &text, 0o600, Some((to.uid, to.gid))).map_err(doing("write the credentials"))?;
    Ok(0)
}

fn get(place: &Place) -> Result<u8> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::system("read the question", error))?;
    let Some(entries) = read(place)? else { return Ok(0) };
    match answer(&entries, &question(&text)) {
        Some(entry) => crate::print(&format!("username={}\npassword={}", entry.username, entry.password)),
        // Git goes on to the next helper, or asks.
        None => Ok(0),
    }
}

/// What was delivered for us; `None` if nothing was.
fn read(place: &Place) -> Result<Option<Vec<Entry>>> {
    let mut file = match File::open(file_of(place, geteuid().as_raw())) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => return Ok(None),
        Err(error) => return Err(Failure::system("read the credentials", error)),
    };
    let doing = |error| Failure::system("read the credentials", error);
    if file.metadata().map_err(doing)?.uid() != geteuid().as_raw() {
        return Err(Failure::new("not-permitted", DENIED, "the file of the credentials is somebody else's"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(doing)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Failure::system("read the credentials", io::Error::from(error)))
}

fn question(text: &str) -> Question {
    let mut asked = Question::default();
    for (key, value) in text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once('=')) {
        let value = value.to_owned();
        match key {
            "protocol" => asked.protocol = value,
            "host" => asked.host = value,
            "path" => asked.path = value,
            "username" => asked.username = Some(value),
            _ => {}
        }
    }
    asked
}

/// The entry for exactly this repository: another one at the same host is none of ours.
fn answer<'a>(entries: &'a [Entry], asked: &Question) -> Option<&'a Entry> {
    entries.iter().find(|entry| {
        entry.protocol == asked.protocol
            && entry.host.eq_ignore_ascii_case(&asked.host)
            && asked.username.as_ref().is_none_or(|name| *name == entry.username)
            && entry.paths.iter().any(|path| repository(path) == repository(&asked.path))
            && !repository(&asked.path).is_empty()
    })
}

/// A repository's path without what may stand around it; git-lfs asks for a path below it.
fn repository(path: &str) -> &str {
    let path = path.trim_matches('/');
    let path = path.split_once("/info/lfs").map_or(path, |(repository, _)| repository);
    path.strip_suffix(".git").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<String> {
        let entry = |host: &str, path: &str| Entry {
            protocol: "https".into(),
            host: host.into(),
            paths: vec![path.into(), "/g/module".into()],
            username: "me".into(),
            password: host.into(),
        };
        let entries = [entry("h.example", "/g/repo.git"), entry("h.example:8443", "/g/repo")];
        answer(&entries, &question(text)).map(|entry| entry.password.clone())
    }

    #[test]
    fn only_the_own_repositories_are_answered_for() {
        let ask = |protocol: &str, host: &str, path: &str| {
            asked(&format!("protocol={protocol}\nhost={host}\npath={path}\n\n"))
        };
        assert_eq!(ask("https", "h.example", "g/repo.git").as_deref(), Some("h.example"));
        assert_eq!(ask("https", "h.example", "g/repo").as_deref(), Some("h.example"));
        assert_eq!(ask("https", "h.example", "g/repo.git/info/lfs").as_deref(), Some("h.example"));
        assert_eq!(ask("https", "h.example", "g/module.git").as_deref(), Some("h.example"));
        assert_eq!(ask("https", "h.example:8443", "g/repo").as_deref(), Some("h.example:8443"));
        for (protocol, host, path) in [
            ("http", "h.example", "g/repo.git"),
            ("https", "h.example:9", "g/repo.git"),
            ("https", "o.example", "g/repo.git"),
            ("https", "h.example", "g/repo2"),
            ("https", "h.example", "g"),
            ("https", "h.example", ""),
        ] {
            assert_eq!(ask(protocol, host, path), None, "{protocol} {host} {path}");
        }
        assert_eq!(asked("protocol=https\nhost=h.example\n\n"), None, "no path, no answer");
        assert_eq!(asked("protocol=https\nhost=h.example\npath=g/repo\nusername=you\n\n"), None);
        assert!(asked("protocol=https\nhost=h.example\npath=g/repo\nusername=me\n").is_some());
    }
}
