//! Archives for one folder, told from the root.
//!
//! The engine refuses to unpack a relative symbolic link that leads out of the folder it unpacks into, and
//! repositories hold such links. Seen from the root, every link stays inside; who follows it later is in
//! the container like everybody else.

use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};
use steading_core::runtime::ByteStream;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

/// How much waits between the thread that rewrites and the engine.
const WAITING: usize = 256 << 10;

/// The same archive with every name below `folder`, to be unpacked at `/`. It breaks off where `tar` does.
pub fn below(folder: &str, tar: ByteStream) -> ByteStream {
    let folder = PathBuf::from(folder.trim_matches('/'));
    let (near, far) = tokio::io::duplex(WAITING);
    let read = SyncIoBridge::new(StreamReader::new(tar));
    let work = tokio::task::spawn_blocking(move || rewrite(&folder, read, SyncIoBridge::new(near)));
    let end = async move {
        match work.await {
            Ok(done) => done.map(|()| bytes::Bytes::new()),
            Err(gone) => Err(io::Error::other(gone)),
        }
    };
    let body = ReaderStream::with_capacity(far, WAITING);
    body.chain(futures::stream::once(end)).try_filter(|piece| std::future::ready(!piece.is_empty())).boxed()
}

fn rewrite(folder: &Path, from: impl Read, to: impl Write) -> io::Result<()> {
    let mut told = tar::Builder::new(to);
    let mut heard = tar::Archive::new(from);
    for entry in heard.entries()? {
        let mut entry = entry?;
        let mut header = entry.header().clone();
        let path = placed(folder, &entry.path()?)?;
        let target = entry.link_name()?.map(|target| target.into_owned());
        match target.filter(|_| header.entry_type().is_symlink() || header.entry_type().is_hard_link()) {
            // A hard link names another member of the archive, a symbolic one whatever it likes.
            Some(target) if header.entry_type().is_hard_link() => {
                told.append_link(&mut header, path, placed(folder, &target)?)?;
            }
            Some(target) => told.append_link(&mut header, path, target)?,
            None => told.append_data(&mut header, path, &mut entry)?,
        }
    }
    // The archive's own end is no proof that whoever wrote it got there: only the stream's end is.
    io::copy(&mut heard.into_inner(), &mut io::sink())?;
    told.into_inner()?.flush()
}

/// A member's place below the folder. Names that lead out of it are refused, as the engine would.
fn placed(folder: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in name.components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let name = name.display();
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} leads out of the folder")));
            }
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn member(tar: &mut tar::Builder<Vec<u8>>, path: &str, link: Option<&str>) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(12);
        match link {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                tar.append_link(&mut header, path, target).unwrap();
            }
            None => {
                header.set_size(4);
                tar.append_data(&mut header, path, &b"text"[..]).unwrap();
            }
        }
    }

    #[test]
    fn every_name_moves_and_no_link_changes() {
        let long = "long/".repeat(60) + "name";
        let mut tar = tar::Builder::new(Vec::new());
        member(&mut tar, "file", None);
        member(&mut tar, &long, None);
        member(&mut tar, "out", Some("../../../etc"));
        member(&mut tar, "far", Some(&long));
        let mut out = Vec::new();
        rewrite(Path::new("workspaces/a"), &tar.into_inner().unwrap()[..], &mut out).unwrap();
        let mut told = Vec::new();
        for entry in tar::Archive::new(&out[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.to_string_lossy().into_owned());
            told.push((
                entry.path().unwrap().to_string_lossy().into_owned(),
                entry.header().uid().unwrap(),
                link,
                text,
            ));
        }
        let at = |name: &str, link: Option<&str>, text: &str| {
            (format!("workspaces/a/{name}"), 12, link.map(str::to_owned), text.to_owned())
        };
        let wanted = [
            at("file", None, "text"),
            at(&long, None, "text"),
            at("out", Some("../../../etc"), ""),
            at("far", Some(&long), ""),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        assert!(placed(Path::new("a"), Path::new("b/../../c")).is_err());
        assert_eq!(placed(Path::new("a"), Path::new("./")).unwrap(), Path::new("a"));
    }

    #[tokio::test]
    async fn an_error_on_the_way_ends_the_archive() {
        for sent in [100, 512, 1024] {
            let broken = futures::stream::iter([Ok(vec![0; sent].into()), Err(io::Error::other("on fire"))]).boxed();
            let told: Result<Vec<_>, _> = below("/a", broken).try_collect().await;
            assert!(told.unwrap_err().to_string().contains("on fire"));
        }
    }
}
