//! What the helper inside reads from whoever sits at a terminal or waits for a command: frames of
//! `kind u8 | length u32 | payload`, numbers in network order (inside/README.md). When they end, it hangs up.

use bytes::{BufMut as _, BytesMut};

/// Kinds of frames.
const DATA: u8 = 1;
const SIZE: u8 = 2;
const END: u8 = 3;
/// Longest payload.
const LONGEST: usize = 64 << 10;

/// What was typed, or what a command reads.
pub fn data(bytes: &[u8], frames: &mut BytesMut) {
    for piece in bytes.chunks(LONGEST) {
        put(frames, DATA, piece);
    }
}

/// A terminal's new size, in columns and rows.
pub fn size(columns: u16, rows: u16, frames: &mut BytesMut) {
    let [c0, c1] = columns.max(1).to_be_bytes();
    let [r0, r1] = rows.max(1).to_be_bytes();
    put(frames, SIZE, &[c0, c1, r0, r1]);
}

/// A command has all that it reads.
pub fn end(frames: &mut BytesMut) {
    put(frames, END, &[]);
}

fn put(frames: &mut BytesMut, kind: u8, payload: &[u8]) {
    frames.put_u8(kind);
    // No piece is longer than LONGEST.
    frames.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    frames.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(make: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut frames = BytesMut::new();
        make(&mut frames);
        frames
    }

    #[test]
    fn each_kind_has_its_form() {
        assert_eq!(frames(|frames| data(b"ls", frames)), [1, 0, 0, 0, 2, b'l', b's'][..]);
        assert_eq!(frames(|frames| size(132, 43, frames)), [2, 0, 0, 0, 4, 0, 132, 0, 43][..]);
        assert_eq!(frames(end), [3, 0, 0, 0, 0][..]);
        let large = frames(|frames| data(&vec![7; LONGEST + 1], frames));
        assert_eq!((large.len(), &large[LONGEST + 5..]), (LONGEST + 11, &[1, 0, 0, 0, 1, 7][..]));
    }
}
