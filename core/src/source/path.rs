//! Paths inside a repository, and escapes in URLs.

use super::SourceError;

/// A path inside a repository as it is stored: without empty components, `None` for the root.
pub(super) fn inside(path: &str) -> Result<Option<String>, SourceError> {
    let shown = || SourceError::Path(path.chars().filter(|c| !c.is_control()).take(80).collect());
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let outside = parts.iter().any(|part| *part == ".." || part.eq_ignore_ascii_case(".git"));
    if outside || path.contains(|c: char| c.is_control()) || path.len() > 1024 {
        return Err(shown());
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

/// Undoes percent-escapes; what is not an escape stays, as does what would not be UTF-8.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(unescape("a%20b%2Fc%zz%"), "a b/c%zz%");
        assert_eq!(unescape("%25_20"), "%_20");
        assert_eq!(unescape("%ff"), "%ff");
    }

    #[test]
    fn a_path_stays_inside() {
        assert_eq!(inside("/a//b/./c/").unwrap().as_deref(), Some("a/b/c"));
        assert_eq!(inside("/").unwrap(), None);
        assert!(inside("a/../b").is_err());
        assert!(inside(".git/config").is_err());
    }
}
