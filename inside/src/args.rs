//! The command line: options, plain words, and what follows `--`.

use crate::failure::{Failure, Result};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// An option a command knows.
#[derive(Clone, Copy)]
pub enum Opt {
    /// `--name`
    Flag(&'static str),
    /// `--name VALUE` or `--name=VALUE`
    Value(&'static str),
}

/// A command line, taken apart.
#[derive(Default)]
pub struct Args {
    given: Vec<(&'static str, OsString)>,
    /// Words that are not options.
    pub words: Vec<OsString>,
    /// Everything after the first `--`.
    pub tail: Vec<OsString>,
}

impl Args {
    /// Takes the words apart; an option nobody knows is refused.
    pub fn parse(words: impl IntoIterator<Item = OsString>, known: &[&[Opt]]) -> Result<Self> {
        let mut parsed = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let Some(option) = text.strip_prefix("--") else {
                parsed.words.push(word);
                continue;
            };
            if option.is_empty() {
                parsed.tail.extend(words);
                break;
            }
            let name = option.split('=').next().unwrap_or(option);
            let found = known.iter().flat_map(|group| group.iter()).find(|o| match o {
                Opt::Flag(known) | Opt::Value(known) => *known == name,
            });
            match found {
                Some(Opt::Flag(name)) if !option.contains('=') => parsed.given.push((name, OsString::new())),
                Some(Opt::Value(name)) => {
                    let value = match option.contains('=') {
                        true => after_equals(&word),
                        false => words.next().ok_or_else(|| Failure::usage(format!("--{name} wants a value")))?,
                    };
                    parsed.given.push((name, value));
                }
                _ => return Err(Failure::usage(format!("unknown option {text:?}; see inside/README.md"))),
            }
        }
        Ok(parsed)
    }

    /// Whether the option was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The last value given for the option.
    pub fn one(&self, name: &str) -> Option<&OsStr> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// Every value given for the option, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsStr> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// The last value, as text.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        self.one(name).map(|value| utf8(name, value)).transpose()
    }

    /// The last value, which must be there.
    pub fn needed(&self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| Failure::usage(format!("--{name} is missing")))
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number =
            text.parse().map_err(|_| Failure::usage(format!("--{name} wants a whole number, not {text:?}")))?;
        Ok(Some(number))
    }

    /// Seconds, fractions allowed.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let wrong = || Failure::usage(format!("--{name} wants seconds, not {text:?}"));
        let seconds: f64 = text.parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| wrong())
    }

    /// The one plain word the command takes.
    pub fn word(&self, what: &str) -> Result<String> {
        match self.words.as_slice() {
            [word] => utf8(what, word),
            _ => Err(Failure::usage(format!("exactly one {what} is wanted"))),
        }
    }

    /// Refuses plain words where a command takes none.
    pub fn no_words(&self) -> Result<()> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Failure::usage(format!("unexpected word {word:?}; commands to run follow a --"))),
        }
    }
}

fn utf8(name: &str, value: &OsStr) -> Result<String> {
    value.to_str().map(str::to_owned).ok_or_else(|| Failure::usage(format!("{name} is not valid UTF-8")))
}

/// `K=V` of `--env`.
pub fn pair(value: &OsStr) -> Result<(OsString, OsString)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = value.as_bytes();
    match bytes.iter().position(|b| *b == b'=') {
        Some(at) if at > 0 => Ok((OsStr::from_bytes(&bytes[..at]).into(), OsStr::from_bytes(&bytes[at + 1..]).into())),
        _ => Err(Failure::usage("--env wants NAME=VALUE")),
    }
}

fn after_equals(word: &OsStr) -> OsString {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_bytes();
    let at = bytes.iter().position(|b| *b == b'=').map_or(bytes.len(), |at| at + 1);
    OsStr::from_bytes(&bytes[at..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Opt] = &[Opt::Value("env"), Opt::Flag("again"), Opt::Value("timeout")];

    fn parse(words: &[&str]) -> Result<Args> {
        Args::parse(words.iter().map(OsString::from), &[KNOWN])
    }

    #[test]
    fn options_words_and_tail_are_told_apart() {
        let args = parse(&["a", "--env", "K=V=W", "--env=X=", "--again", "--", "--env", "ls"]).unwrap();
        assert_eq!(args.words, ["a"]);
        assert_eq!(args.all("env").collect::<Vec<_>>(), ["K=V=W", "X="]);
        assert!(args.has("again"));
        assert_eq!(args.tail, ["--env", "ls"]);
        assert_eq!(pair(OsStr::new("K=V=W")).unwrap(), ("K".into(), "V=W".into()));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(&["--nope"]).err().unwrap().code, "bad-usage");
        assert_eq!(parse(&["--again=1"]).err().unwrap().code, "bad-usage");
        assert!(parse(&["--env"]).err().unwrap().message.contains("--env wants a value"));
        assert!(parse(&["--timeout", "-1"]).unwrap().seconds("timeout").is_err());
        assert!(pair(OsStr::new("=V")).is_err());
    }
}
