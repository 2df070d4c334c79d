//! SSH host keys: the first one of a host is believed and remembered, another one is refused.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// The file that remembers: one line for each host, its name and the SHA-256 of its key.
#[derive(Debug, Clone)]
pub(crate) struct KnownHosts(pub PathBuf);

impl KnownHosts {
    /// Whether a host may have this key. A host that was not seen before is remembered.
    pub fn accept(&self, host: &str, key: &[u8]) -> io::Result<bool> {
        let known = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let print = hex::encode(key);
        let mut of_host =
            known.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name == host).peekable();
        if of_host.peek().is_some() {
            return Ok(of_host.any(|(_, found)| found.trim() == print));
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{host} {print}\n").as_bytes())?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_believed_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let hosts = KnownHosts(folder.path().join("known_hosts"));
        assert!(hosts.accept("a.example", &[1]).unwrap());
        assert!(hosts.accept("a.example:22", &[2]).unwrap());
        assert!(hosts.accept("a.example", &[1]).unwrap());
        assert!(!hosts.accept("a.example", &[2]).unwrap());
    }
}
