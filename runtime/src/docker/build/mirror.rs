//! Mirrors in Dockerfiles: the images that a build starts from are taken from where mirrors stand in.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;
use steading_core::image::ImageRef;
use steading_core::runtime::ByteStream;
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::Docker;

/// The longest Dockerfile that is read.
const LONGEST: u64 = 4 << 20;
/// Pieces of the archive that wait for the engine.
const WAITING: usize = 8;

/// The context with its Dockerfile rewritten. The archive streams through.
pub fn rewritten(docker: Docker, dockerfile: String, context: ByteStream) -> ByteStream {
    let (send, receive) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let input = SyncIoBridge::new_with_handle(StreamReader::new(context), runtime.clone());
        let mut output = io::BufWriter::with_capacity(256 << 10, Pipe(send.clone()));
        let replace = |image: &ImageRef| {
            let mirrored = docker.images.mirrored(image);
            // An image that is here already under its own name needs no mirror.
            let here = || runtime.block_on(async { docker.inspect_image(image).await.ok().flatten().is_some() });
            if mirrored == *image || (!image.as_str().contains('$') && here()) { image.clone() } else { mirrored }
        };
        if let Err(error) = copy(input, &mut output, &dockerfile, &replace).and_then(|()| output.flush()) {
            let _ = send.blocking_send(Err(error));
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receive).boxed()
}

struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn copy(
    input: impl Read,
    output: impl Write,
    dockerfile: &str,
    replace: &dyn Fn(&ImageRef) -> ImageRef,
) -> io::Result<()> {
    let wanted = plain(Path::new(dockerfile));
    let mut archive = tar::Archive::new(input);
    let mut builder = tar::Builder::new(output);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let mut header = entry.header().clone();
        if entry.header().entry_type().is_file() && plain(&path) == wanted {
            let mut text = String::new();
            (&mut entry).take(LONGEST).read_to_string(&mut text)?;
            let text = images(&text, replace);
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, &path, text.as_bytes())?;
        } else if let Some(to) = entry.link_name()? {
            builder.append_link(&mut header, &path, to)?;
        } else {
            header.set_size(entry.size());
            builder.append_data(&mut header, &path, entry)?;
        }
    }
    builder.into_inner()?.flush()
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// A Dockerfile with every image it names replaced: in `FROM`, in `COPY --from` and in the `syntax`
/// directive, but not names of its own stages.
fn images(text: &str, replace: &dyn Fn(&ImageRef) -> ImageRef) -> String {
    let mut stages = HashSet::from(["scratch".to_owned()]);
    let mut directives = true;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let trimmed = line.trim();
        directives &= trimmed.starts_with('#');
        let words: Vec<&str> = trimmed.split_whitespace().collect();
        let image = match words.as_slice() {
            [first, rest @ ..] if first.eq_ignore_ascii_case("FROM") => {
                let rest: Vec<&str> = rest.iter().copied().skip_while(|word| word.starts_with("--")).collect();
                let image = rest.first().copied();
                let known = image.is_none_or(|image| stages.contains(&image.to_ascii_lowercase()));
                if let [_, r#as, stage, ..] = rest.as_slice()
                    && r#as.eq_ignore_ascii_case("AS")
                {
                    stages.insert(stage.to_ascii_lowercase());
                }
                image.filter(|_| !known)
            }
            [first, rest @ ..] if first.eq_ignore_ascii_case("COPY") => rest
                .iter()
                .take_while(|word| word.starts_with("--"))
                .find_map(|word| word.strip_prefix("--from="))
                .filter(|from| !stages.contains(&from.to_ascii_lowercase()) && from.parse::<u32>().is_err()),
            _ if directives => trimmed
                .trim_start_matches('#')
                .trim()
                .strip_prefix("syntax")
                .and_then(|rest| rest.trim_start().strip_prefix('='))
                .map(str::trim),
            _ => None,
        };
        // A name that begins with a variable says nothing about its registry.
        let image = image.filter(|image| !image.is_empty() && !image.starts_with('$'));
        lines.push(match image {
            Some(image) => line.replacen(image, replace(&ImageRef::new(image)).as_str(), 1),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrored(image: &ImageRef) -> ImageRef {
        let mirrors =
            [("docker.io".to_owned(), "m.test/hub".to_owned()), ("ghcr.io".to_owned(), "m.test/gh".to_owned())];
        image.mirrored(&mirrors.into())
    }

    #[test]
    fn images_are_replaced_and_stages_are_not() {
        let text = "# syntax=docker/dockerfile:1\nARG V=1\nfrom --platform=linux/amd64 debian:$V AS base\n\
                    FROM base\nFROM scratch\nFROM ghcr.io/a/b:${V}\nFROM $IMAGE\nCOPY --from=base /a /a\n\
                    COPY --chown=1 --from=ghcr.io/c /a /a\nCOPY --from=0 /a /a\nRUN echo FROM debian\n";
        let expected = "# syntax=m.test/hub/docker/dockerfile:1\nARG V=1\n\
                        from --platform=linux/amd64 m.test/hub/library/debian:$V AS base\n\
                        FROM base\nFROM scratch\nFROM m.test/gh/a/b:${V}\nFROM $IMAGE\nCOPY --from=base /a /a\n\
                        COPY --chown=1 --from=m.test/gh/c /a /a\nCOPY --from=0 /a /a\nRUN echo FROM debian\n";
        assert_eq!(images(text, &mirrored), expected);
    }

    #[test]
    fn everything_else_passes_as_it_is() {
        let long = "d/".repeat(80) + "file";
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o750);
        header.set_uid(7);
        header.set_size(4);
        builder.append_data(&mut header, &long, b"data".as_slice()).unwrap();
        header.set_size(12);
        builder.append_data(&mut header, "./Dockerfile", b"FROM debian\n".as_slice()).unwrap();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "link", "Dockerfile").unwrap();
        let input = builder.into_inner().unwrap();
        let mut output = Vec::new();
        copy(input.as_slice(), &mut output, "Dockerfile", &mirrored).unwrap();
        let mut archive = tar::Archive::new(output.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            seen.push((
                entry.path().unwrap().display().to_string(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                text,
            ));
        }
        assert_eq!(seen[0], (long, 0o750, 7, "data".to_owned()));
        assert_eq!(seen[1].3, "FROM m.test/hub/library/debian\n");
        assert_eq!(seen[2].0, "link");
    }
}
