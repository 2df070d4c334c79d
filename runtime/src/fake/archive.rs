//! Files in memory, and tar archives of them.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use bytes::Bytes;
use futures::TryStreamExt as _;
use steading_core::runtime::ByteStream;

/// Files by absolute path.
pub type Files = BTreeMap<String, Entry>;

/// A file, folder or link.
#[derive(Debug, Clone)]
pub struct Entry {
    kind: Kind,
    mode: u32,
    owner: (u64, u64),
}

#[derive(Debug, Clone)]
enum Kind {
    File(Bytes),
    Folder,
    Link(String),
}

impl Entry {
    /// A plain file of root's.
    pub fn file(content: Vec<u8>) -> Self {
        Self { kind: Kind::File(content.into()), mode: 0o644, owner: (0, 0) }
    }

    /// A symbolic link of root's.
    pub fn link(target: &str) -> Self {
        Self { kind: Kind::Link(target.to_owned()), mode: 0o777, owner: (0, 0) }
    }

    /// The bytes of a file.
    pub fn content(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::File(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads a whole archive.
pub async fn read(tar: ByteStream) -> io::Result<Vec<(String, Entry)>> {
    let bytes = tar
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await?;
    let mut entries = Vec::new();
    let mut archive = tar::Archive::new(bytes.as_slice());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header();
        // An empty field means root, as it does to an engine.
        let owner = (header.uid().unwrap_or(0), header.gid().unwrap_or(0));
        let mode = header.mode()?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let kind = match header.entry_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() || kind.is_hard_link() => {
                Kind::Link(entry.link_name()?.map(|to| to.to_string_lossy().into_owned()).unwrap_or_default())
            }
            kind if kind.is_file() => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Kind::File(content.into())
            }
            _ => continue,
        };
        entries.push((path, Entry { kind, mode, owner }));
    }
    Ok(entries)
}

/// Packs files under a name, as `docker cp` does.
pub fn pack(name: &str, files: &Files) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    if !files.contains_key("") {
        let mut header = header(0o755, (0, 0));
        header.set_entry_type(tar::EntryType::Directory);
        builder.append_data(&mut header, format!("{name}/"), io::empty())?;
    }
    for (path, entry) in files {
        let path = if path.is_empty() { name.to_owned() } else { format!("{name}/{path}") };
        let mut header = header(entry.mode, entry.owner);
        match &entry.kind {
            Kind::File(bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, bytes.as_ref())?;
            }
            Kind::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
            Kind::Link(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, to)?;
            }
        }
    }
    builder.into_inner()
}

fn header(mode: u32, owner: (u64, u64)) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    header.set_size(0);
    header
}
