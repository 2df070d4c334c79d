//! The `.git` folder of a checkout: packs as they are in the cache, refs as a clone has them, and an index.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use git2::{Index, Oid, Repository};

use super::plan::{Branch, Part};
use crate::archive::Archive;

/// Writes the `.git` folder of one repository, and the file that leads a submodule to it.
pub(super) fn write(archive: &mut Archive, part: &Part, scratch: &Path) -> io::Result<()> {
    let repository = part.mirror.open().map_err(io::Error::other)?;
    let git = part.git.as_str();
    let at = |path: &str| format!("{git}/{path}");
    if !part.work.is_empty() {
        // Folders that nobody names would be made by whoever unpacks, and belong to them.
        for (at, _) in git.match_indices('/') {
            archive.folder(&git[..at])?;
        }
        let up = "../".repeat(part.work.split('/').count());
        archive.file(format!("{}/.git", part.work), 0o644, format!("gitdir: {up}{git}\n").as_bytes())?;
    }
    archive.folder(git)?;
    for folder in [
        "hooks",
        "info",
        "objects",
        "objects/info",
        "objects/pack",
        "refs",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
        "refs/remotes/origin",
    ] {
        archive.folder(at(folder))?;
    }
    let head = match &part.branch {
        Some(branch) => format!("ref: refs/heads/{}\n", branch.name),
        None => format!("{}\n", part.commit),
    };
    archive.file(at("HEAD"), 0o644, head.as_bytes())?;
    archive.file(at("config"), 0o644, config(part).as_bytes())?;
    archive.file(at("info/exclude"), 0o644, b"# Patterns of files that only you ignore.\n")?;
    let refs = refs(&repository, part).map_err(io::Error::other)?;
    archive.file(at("packed-refs"), 0o644, packed(&refs).as_bytes())?;
    if let Some(default) = default_branch(&repository, part, &refs) {
        let text = format!("ref: refs/remotes/origin/{default}\n");
        archive.file(at("refs/remotes/origin/HEAD"), 0o644, text.as_bytes())?;
    }
    archive.file(at("index"), 0o644, &index(&repository, part, scratch)?)?;
    objects(archive, &part.mirror.path.join("objects"), &at("objects"))
}

/// The configuration that `git clone` would write.
fn config(part: &Part) -> String {
    let mut text = String::from(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n",
    );
    if !part.work.is_empty() {
        let up = "../".repeat(part.git.split('/').count());
        let _ = writeln!(text, "\tworktree = {}", quoted(&format!("{up}{}", part.work)));
    }
    let _ = writeln!(text, "[remote \"origin\"]\n\turl = {}", quoted(part.origin.as_str()));
    text.push_str("\tfetch = +refs/heads/*:refs/remotes/origin/*\n");
    if let Some(Branch { name, follows }) = &part.branch {
        if let Some(tracked) = tracked(follows) {
            let _ = writeln!(text, "\tfetch = {}", quoted(&format!("+{follows}:{tracked}")));
        }
        let _ = writeln!(text, "[branch {}]\n\tremote = origin\n\tmerge = {}", quoted(name), quoted(follows));
    }
    for (name, _, url) in &part.modules {
        let _ = writeln!(text, "[submodule {}]\n\tactive = true\n\turl = {}", quoted(name), quoted(url));
    }
    text.push_str(&part.config);
    text
}

/// A value or a name of a subsection, as the configuration has it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Where a ref that is no branch of the remote is kept: `refs/pull/7/head` as `origin/pull/7/head`.
fn tracked(follows: &str) -> Option<String> {
    let rest = follows.strip_prefix("refs/")?;
    (!rest.starts_with("heads/")).then(|| format!("refs/remotes/origin/{rest}"))
}

/// A ref, and what an annotated tag leads to.
type Refs = BTreeMap<String, (Oid, Option<Oid>)>;

fn refs(repository: &Repository, part: &Part) -> Result<Refs, git2::Error> {
    let mut refs = Refs::new();
    for reference in repository.references()?.flatten() {
        let (Ok(name), Some(id)) = (reference.name(), reference.target()) else { continue };
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            refs.insert(format!("refs/remotes/origin/{branch}"), (id, None));
        } else if name.starts_with("refs/tags/") {
            let peeled = reference.peel_to_commit().ok().map(|commit| commit.id()).filter(|peeled| *peeled != id);
            refs.insert(name.to_owned(), (id, peeled));
        }
    }
    if let Some(branch) = &part.branch {
        let commit = Oid::from_str(part.commit.as_str())?;
        refs.insert(format!("refs/heads/{}", branch.name), (commit, None));
        // What was pinned is what the remote had; the cache may be older or newer.
        let tracked = tracked(&branch.follows);
        let tracked = tracked.unwrap_or_else(|| format!("refs/remotes/origin/{}", branch.name));
        refs.entry(tracked).or_insert((commit, None));
    }
    Ok(refs)
}

fn packed(refs: &Refs) -> String {
    let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for (name, (id, peeled)) in refs {
        let _ = writeln!(text, "{id} {name}");
        if let Some(peeled) = peeled {
            let _ = writeln!(text, "^{peeled}");
        }
    }
    text
}

fn default_branch(repository: &Repository, part: &Part, refs: &Refs) -> Option<String> {
    let head = repository.find_reference("HEAD").ok()?;
    let named =
        head.symbolic_target().ok().flatten().and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
    let is_there = |name: &String| refs.contains_key(&format!("refs/remotes/origin/{name}"));
    named.filter(is_there).or_else(|| part.branch.as_ref().map(|branch| branch.name.clone()).filter(is_there))
}

/// The index of the commit. Its entries carry no sizes and times, so that git looks at the files once.
fn index(repository: &Repository, part: &Part, scratch: &Path) -> io::Result<Vec<u8>> {
    let folder = tempfile::tempdir_in(scratch)?;
    let path = folder.path().join("index");
    let write = || -> Result<(), git2::Error> {
        let commit = repository.find_commit(Oid::from_str(part.commit.as_str())?)?;
        let mut index = Index::open(&path)?;
        index.read_tree(&commit.tree()?)?;
        index.write()
    };
    write().map_err(io::Error::other)?;
    fs::read(&path)
}

/// Copies objects as they are. What is being written at this moment has no name of an object yet.
fn objects(archive: &mut Archive, from: &Path, to: &str) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_loose = name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if is_loose {
            archive.folder(format!("{to}/{name}"))?;
        }
        if !is_loose && name != "pack" {
            continue;
        }
        for file in fs::read_dir(entry.path())? {
            let file = file?;
            let Ok(object) = file.file_name().into_string() else { continue };
            let wanted = if is_loose {
                object.bytes().all(|b| b.is_ascii_hexdigit())
            } else {
                // A pack without its index is not complete yet.
                object.starts_with("pack-")
                    && (object.ends_with(".idx")
                        || (object.ends_with(".pack") && file.path().with_extension("idx").exists()))
            };
            if wanted {
                let opened = File::open(file.path())?;
                let size = opened.metadata()?.len();
                archive.copy(format!("{to}/{name}/{object}"), 0o444, size, opened)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_configuration_cannot_break_out() {
        assert_eq!(quoted(r#"a"]\b"#), r#""a\"]\\b""#);
    }

    #[test]
    fn requests_are_kept_beside_branches() {
        assert_eq!(tracked("refs/pull/7/head").as_deref(), Some("refs/remotes/origin/pull/7/head"));
        assert_eq!(tracked("refs/heads/main"), None);
    }
}
