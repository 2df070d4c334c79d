//! `inside look` and `inside user`: facts about the image, for diagnostics that say what to add.

use crate::account::Account;
use crate::args::{Args, Opt};
use crate::failure::Result;
use crate::login::executable;
use crate::place::Place;
use crate::process;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Searched besides the container's PATH.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `inside user NAME`
pub fn user(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let name = Args::parse(words, &[])?.word("user")?;
    match Account::find(place, &name) {
        Ok(account) => crate::print_json(&account.to_json()),
        Err(failure) => {
            crate::print_json(&json!({"error": {"code": failure.code, "message": failure.message}}))?;
            Ok(failure.exit)
        }
    }
}

/// `inside look [--user NAME]`
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[&[Opt::Value("user")]])?;
    args.no_words()?;
    let path = format!("{}:{USUAL}", std::env::var("PATH").unwrap_or_default());
    let tool = |name: &str| find(place, &path, name).map(|p| p.to_string_lossy().into_owned());
    let user = args.text("user")?.map(|user| match Account::find(place, &user) {
        Ok(account) => account.to_json(),
        Err(failure) => json!({"error": {"code": failure.code, "message": failure.message}}),
    });
    let (libc, version) = libc(place);
    crate::print_json(&json!({
        "arch": std::env::consts::ARCH,
        "os": os(place),
        "libc": {"kind": libc, "version": version},
        "tools": {
            "git": tool("git"), "sh": tool("sh"), "bash": tool("bash"), "tar": tool("tar"), "sudo": tool("sudo"),
            "ssh": tool("ssh"), "git-lfs": tool("git-lfs"),
        },
        "passwd": place.path("/etc/passwd").is_file(),
        "user": user,
        "running_as": nix::unistd::geteuid().as_raw(),
        "root_writable": root_writable(&fs::read_to_string("/proc/self/mounts").unwrap_or_default()),
        "state": place.state().ok().map(|state| state.to_string_lossy().into_owned()),
        "start_id": process::start_id(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

fn find(place: &Place, path: &str, name: &str) -> Option<PathBuf> {
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|file| executable(&place.path(file)))
}

/// ID, VERSION_ID and PRETTY_NAME of os-release.
fn os(place: &Place) -> Value {
    let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|p| fs::read_to_string(place.path(p)).ok());
    let text = text.unwrap_or_default();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    json!({"id": field("ID"), "version": field("VERSION_ID"), "name": field("PRETTY_NAME")})
}

/// `glibc` with its version, `musl`, or `none`.
fn libc(place: &Place) -> (&'static str, Option<String>) {
    let arch = std::env::consts::ARCH;
    let folders = ["lib64", "lib", "usr/lib64", "usr/lib"].map(str::to_owned);
    let multi = [format!("lib/{arch}-linux-gnu"), format!("usr/lib/{arch}-linux-gnu")];
    for folder in folders.iter().chain(&multi) {
        let library = place.path(Path::new("/").join(folder).join("libc.so.6"));
        if let Ok(bytes) = fs::read(&library) {
            return ("glibc", glibc_version(&bytes));
        }
    }
    let loader = place.path(format!("/lib/ld-musl-{arch}.so.1"));
    (if loader.exists() { "musl" } else { "none" }, None)
}

/// "GNU C Library (…) stable release version 2.36." is in the library itself.
fn glibc_version(library: &[u8]) -> Option<String> {
    let mark = b"release version ";
    let at = library.windows(mark.len()).position(|found| found == mark)? + mark.len();
    let digits = library[at..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').map(|b| char::from(*b));
    Some(digits.collect::<String>().trim_end_matches('.').to_owned())
}

/// Whether `/` is mounted for writing.
fn root_writable(mounts: &str) -> bool {
    let root = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/"));
    !root.is_some_and(|line| line.split(' ').nth(3).is_some_and(|options| options.split(',').any(|o| o == "ro")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_text() {
        assert_eq!(glibc_version(b"..stable release version 2.36.\nCopyright").as_deref(), Some("2.36"));
        assert!(root_writable("overlay / overlay rw,relatime 0 0\n"));
        assert!(!root_writable("rootfs / rootfs rw 0 0\noverlay / overlay ro,relatime 0 0\n"));
    }
}
