//! `inside lfs-clean` and `inside lfs-smudge`: what Git LFS does to files on their way, for images without it.
//!
//! A checkout brings large files whole while the commits hold pointers to them. Without a filter Git sees every one
//! of them as changed, and commits the file in place of its pointer. A git-lfs of the image does it all itself.

use crate::failure::{Failure, Result, say};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The longest text that can be a pointer.
const LONGEST: usize = 1024;
const FIRST_LINE: &str = "version https://git-lfs.github.com/spec/v1";

/// A large file, by what its pointer says.
#[derive(Debug, PartialEq, Eq)]
struct Pointer {
    hash: String,
    size: u64,
}

/// `inside lfs-clean FILE`: a file on standard input becomes its pointer
pub fn clean(words: Vec<OsString>) -> Result<u8> {
    let file = one(words)?;
    real("clean", &file);
    let mut input = io::stdin().lock();
    let mut start = Vec::new();
    input.by_ref().take(LONGEST as u64 + 1).read_to_end(&mut start).map_err(doing("read the file"))?;
    // What is empty stays so, and what is a pointer already was never fetched.
    if start.is_empty() || parse(&start).is_some() {
        return put(&start);
    }
    let pointer = measure(start.as_slice().chain(input)).map_err(doing("read the file"))?;
    if known(&file).as_ref() != Some(&pointer) {
        // The commit will hold a pointer alone: what it points to must not be lost with the next change.
        match keep(Path::new(&file), &pointer) {
            Ok(false) => {}
            Ok(true) => say(format_args!(
                "{} is kept in .git/lfs; push it from an image with git-lfs",
                Path::new(&file).display()
            )),
            Err(error) => return Err(Failure::system("keep a large file in .git/lfs", error)),
        }
    }
    put(text(&pointer).as_bytes())
}

/// `inside lfs-smudge FILE`: a pointer on standard input becomes the file, if it is kept here
pub fn smudge(words: Vec<OsString>) -> Result<u8> {
    real("smudge", &one(words)?);
    let mut input = io::stdin().lock();
    let mut start = Vec::new();
    input.by_ref().take(LONGEST as u64 + 1).read_to_end(&mut start).map_err(doing("read the pointer"))?;
    let kept = parse(&start).and_then(|pointer| File::open(place(&pointer.hash)?).ok());
    let mut out = io::stdout().lock();
    let copied = match kept {
        Some(mut file) => io::copy(&mut file, &mut out),
        None => io::copy(&mut start.as_slice().chain(input), &mut out),
    };
    copied.and_then(|_| out.flush()).map(|()| 0).map_err(doing("write the file"))
}

fn doing(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::system(what, error)
}

fn one(mut words: Vec<OsString>) -> Result<OsString> {
    match (words.pop(), words.is_empty()) {
        (Some(word), true) => Ok(word),
        _ => Err(Failure::usage("exactly one file is wanted")),
    }
}

/// Becomes the image's own git-lfs, and comes back if there is none.
fn real(what: &str, file: &OsString) {
    let _none = Command::new("git-lfs").args([what, "--"]).arg(file).exec();
}

fn put(bytes: &[u8]) -> Result<u8> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map(|()| 0).map_err(doing("write the pointer"))
}

fn measure(mut from: impl Read) -> io::Result<Pointer> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Pointer { hash: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), size })
}

fn text(pointer: &Pointer) -> String {
    format!("{FIRST_LINE}\noid sha256:{}\nsize {}\n", pointer.hash, pointer.size)
}

/// Reads a pointer; `None` for anything else.
fn parse(bytes: &[u8]) -> Option<Pointer> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST)?;
    let mut lines = text.lines();
    (lines.next() == Some(FIRST_LINE)).then_some(())?;
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
    let field = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    let hash = field("oid")?.strip_prefix("sha256:")?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let size = field("size")?.parse().ok()?;
    is_hash.then(|| Pointer { hash: hash.to_owned(), size })
}

fn git(words: &[OsString]) -> Option<Vec<u8>> {
    let output = Command::new("git").args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// What the index says of a file.
fn known(file: &OsString) -> Option<Pointer> {
    let mut name = OsString::from(":");
    name.push(file);
    parse(&git(&["cat-file".into(), "blob".into(), name])?)
}

/// Where git-lfs keeps a large file.
fn place(hash: &str) -> Option<PathBuf> {
    let mut folder = git(&["rev-parse".into(), "--git-common-dir".into()])?;
    folder.truncate(folder.trim_ascii_end().len());
    let folder = PathBuf::from(OsString::from_vec(folder)).join("lfs/objects");
    Some(folder.join(&hash[..2]).join(&hash[2..4]).join(hash))
}

/// Keeps a file of the working copy where git-lfs would; whether it was not kept before.
fn keep(file: &Path, pointer: &Pointer) -> io::Result<bool> {
    let Some(place) = place(&pointer.hash) else { return Ok(false) };
    let Some(folder) = place.parent() else { return Ok(false) };
    if place.exists() {
        return Ok(false);
    }
    fs::create_dir_all(folder)?;
    let part = folder.join(format!("{}.{}", pointer.hash, std::process::id()));
    let copied = fs::copy(file, &part).and_then(|_| measure(File::open(&part)?));
    // A file that changed meanwhile is asked about again.
    if copied.as_ref().is_ok_and(|copied| copied == pointer) {
        fs::rename(&part, &place)?;
        return Ok(true);
    }
    let _ = fs::remove_file(&part);
    copied.map(|_| false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_pointer_belong_together() {
        let pointer = measure(&b"hello"[..]).unwrap();
        assert_eq!(pointer.hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(parse(text(&pointer).as_bytes()), Some(pointer));
        assert_eq!(parse(b"hello"), None);
        assert_eq!(parse(format!("{FIRST_LINE}\noid sha256:../../etc\nsize 1\n").as_bytes()), None);
        assert_eq!(parse(&[b'v'; LONGEST + 1]), None);
    }
}
