//! Tar archives: small ones made and read in memory, and a large one that says when it is whole.

use std::io::{self, Read as _};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use steading_core::runtime::ByteStream;

use crate::account::Owner;

/// A file that is read whole is no larger.
const LARGEST: usize = 4 << 20;
/// Two empty blocks end an archive (POSIX.1-1988, ustar).
const END: usize = 1024;

/// Something to pack.
pub(crate) enum Item<'a> {
    Folder(&'a str),
    File(&'a str, &'a [u8]),
}

/// Packs a few items of one owner, without the end of the archive.
fn members(items: &[Item<'_>], owner: Owner) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        header.set_uid(owner.uid.into());
        header.set_gid(owner.gid.into());
        match item {
            Item::Folder(path) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                builder.append_data(&mut header, path, io::empty())?;
            }
            Item::File(path, content) => {
                header.set_mode(0o644);
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, *content)?;
            }
        }
    }
    let mut bytes = builder.into_inner()?;
    bytes.truncate(bytes.len().saturating_sub(END));
    Ok(bytes)
}

/// A small archive.
pub(crate) fn pack(items: &[Item<'_>], owner: Owner) -> io::Result<ByteStream> {
    let mut bytes = members(items, owner)?;
    bytes.resize(bytes.len() + END, 0);
    Ok(stream::iter([Ok(Bytes::from(bytes))]).boxed())
}

/// An archive with some items before everything else and some after it. Archives are unpacked in order,
/// so the last item is there only once all others are.
pub(crate) fn enclose(
    first: &[Item<'_>],
    archive: ByteStream,
    last: &[Item<'_>],
    owner: Owner,
) -> io::Result<ByteStream> {
    let (first, mut last) = (members(first, owner)?, members(last, owner)?);
    last.resize(last.len() + END, 0);
    // The end of the archive is held back until it is known to be the end.
    let state = (archive, BytesMut::new(), Some(Bytes::from(last)));
    let body = stream::unfold(state, |(mut archive, mut held, last)| async move {
        let trailer = last.as_ref()?.clone();
        loop {
            match archive.next().await {
                Some(Ok(bytes)) => {
                    held.extend_from_slice(&bytes);
                    if held.len() > END {
                        let ready = held.split_to(held.len() - END).freeze();
                        return Some((Ok(ready), (archive, held, last)));
                    }
                }
                Some(Err(error)) => return Some((Err(error), (archive, held, None))),
                None if held.len() == END && held.iter().all(|b| *b == 0) => {
                    return Some((Ok(trailer), (archive, held, None)));
                }
                None => {
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the archive has no end");
                    return Some((Err(error), (archive, held, None)));
                }
            }
        }
    });
    Ok(stream::iter([Ok(Bytes::from(first))]).chain(body).boxed())
}

/// What an archive holds first, as [`steading_core::runtime::Runtime::download`] packs a path.
pub(crate) enum Packed {
    /// A file with this content.
    File(Vec<u8>),
    /// A symbolic link that leads there.
    Link(String),
}

/// The content of the first file in an archive, as [`steading_core::runtime::Runtime::download`] packs it.
pub(crate) async fn file(archive: ByteStream) -> io::Result<Option<Vec<u8>>> {
    Ok(match first(archive).await? {
        Some(Packed::File(content)) => Some(content),
        _ => None,
    })
}

/// The first file or symbolic link in an archive.
pub(crate) async fn first(mut archive: ByteStream) -> io::Result<Option<Packed>> {
    let mut bytes = Vec::new();
    while let Some(piece) = archive.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > LARGEST {
            break;
        }
    }
    for entry in tar::Archive::new(bytes.as_slice()).entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(Some(Packed::File(content)));
        }
        if kind.is_symlink() {
            let target = entry.link_name()?.and_then(|target| Some(target.to_str()?.to_owned()));
            return Ok(target.map(Packed::Link));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { uid: 1000, gid: 1000 };

    async fn bytes(archive: ByteStream) -> io::Result<Vec<u8>> {
        let pieces: Vec<_> = archive.collect().await;
        let pieces: Result<Vec<Bytes>, _> = pieces.into_iter().collect();
        Ok(pieces?.concat())
    }

    fn in_pieces(bytes: Vec<u8>, size: usize) -> ByteStream {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).boxed()
    }

    #[tokio::test]
    async fn an_enclosed_archive_has_everything_in_order() {
        let middle = [Item::Folder("a/"), Item::File("a/zeros", &[0; 3000]), Item::File("b", b"text")];
        for size in [1, 7, 512, 1024, 1 << 20] {
            let body = bytes(pack(&middle, OWNER).unwrap()).await.unwrap();
            let first = [Item::File("mark", b"begun")];
            let last = [Item::File("mark", b"whole")];
            let whole = enclose(&first, in_pieces(body, size), &last, OWNER).unwrap();
            let whole = bytes(whole).await.unwrap();
            let mut archive = tar::Archive::new(whole.as_slice());
            let names: Vec<_> =
                archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
            assert_eq!(names, ["mark", "a/", "a/zeros", "b", "mark"], "{size}");
            assert!(whole.ends_with(&[0; END]));
        }
    }

    #[tokio::test]
    async fn an_archive_that_breaks_off_never_says_it_is_whole() {
        let body = bytes(pack(&[Item::File("b", b"text")], OWNER).unwrap()).await.unwrap();
        let cut = in_pieces(body[..body.len() - 600].to_vec(), 100);
        let whole = enclose(&[], cut, &[Item::File("mark", b"whole")], OWNER).unwrap();
        assert!(bytes(whole).await.is_err());
    }

    #[tokio::test]
    async fn the_first_file_is_read() {
        let packed = pack(&[Item::Folder("etc/"), Item::File("etc/passwd", b"root")], OWNER).unwrap();
        assert_eq!(file(packed).await.unwrap().as_deref(), Some(b"root".as_slice()));
        assert_eq!(file(pack(&[], OWNER).unwrap()).await.unwrap(), None);
    }
}
