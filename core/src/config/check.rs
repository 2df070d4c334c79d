//! What a configuration means, once its layers are one: spellings become one, and nonsense is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Config;
use super::layers::{ConfigError, Origin};

/// A key whose value makes no sense, and what is expected instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    key: &'static str,
    reason: String,
}

impl Wrong {
    /// It as an error that names who gave the value.
    pub(super) fn given_by(self, origins: &BTreeMap<String, Origin>) -> ConfigError {
        let origin = origins.get(self.key).unwrap_or(&Origin::Default).to_string();
        ConfigError::BadValue { key: self.key.to_owned(), origin, reason: self.reason }
    }
}

fn wrong<T>(key: &'static str, reason: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { key, reason: reason.into() })
}

/// The same configuration in its one spelling.
pub(super) fn normalised(mut config: Config) -> Result<Config, Wrong> {
    let server = &mut config.server;
    server.domain = domain(&server.domain)?;
    server.scheme = server.scheme.to_ascii_lowercase();
    if !matches!(server.scheme.as_str(), "http" | "https") {
        return wrong("server.scheme", "is neither `http` nor `https`");
    }
    if server.public_port == Some(0) {
        return wrong("server.public_port", "cannot be 0: give the port that browsers see, or leave it out");
    }
    if config.auth.session_hours == 0 {
        return wrong("auth.session_hours", "cannot be 0: nobody could sign in");
    }
    let worker = &config.worker;
    let counts = [
        ("worker.concurrency", worker.concurrency),
        ("worker.lease_seconds", worker.lease_seconds),
        ("worker.sweep_seconds", worker.sweep_seconds),
    ];
    match counts.into_iter().find(|(_, count)| *count == 0) {
        Some((key, _)) => wrong(key, "cannot be 0"),
        None => Ok(config),
    }
}

/// A domain as it is compared: in lower case, without a dot at its end (RFC 4343; RFC 1123, section 2.1).
fn domain(text: &str) -> Result<String, Wrong> {
    const KEY: &str = "server.domain";
    let name = text.trim().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name.contains("://") || name.contains('/') {
        return wrong(KEY, "is an address: give the name alone, like `dev.example.com`; `server.scheme` is apart");
    }
    if name.parse::<IpAddr>().is_ok() || name.starts_with('[') {
        return wrong(KEY, "is a number: workspaces need names below it; use `localhost` or a domain of yours");
    }
    if name.contains(':') {
        return wrong(KEY, "has a port: give the name alone; `server.public_port` is for the port");
    }
    if !name.is_ascii() {
        return wrong(KEY, "has letters that host names do not have: give it as browsers send it (`xn--…`)");
    }
    let fits = |label: &str| {
        let bytes = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        bytes && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A label for port and slug comes before it, and all of it has to fit into 253.
    if name.len() > 189 || !name.split('.').all(fits) {
        return wrong(KEY, "is not a host name: give one like `dev.example.com`");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Config)) -> Result<Config, Wrong> {
        let mut config = Config::default();
        change(&mut config);
        normalised(config)
    }

    #[test]
    fn spellings_become_one() {
        let config = with(|c| {
            c.server.domain = "Dev.Example.com.".to_owned();
            c.server.scheme = "HTTPS".to_owned();
        });
        let url = config.unwrap().public_url();
        assert_eq!((url.domain.as_str(), url.scheme.as_str()), ("dev.example.com", "https"));
        assert_eq!(with(|_| {}).unwrap(), Config::default());
        assert_eq!(with(|c| c.server.domain = "a_b.internal".to_owned()).unwrap().server.domain, "a_b.internal");
    }

    #[test]
    fn nonsense_is_refused_with_a_hint() {
        let domains = [
            ("", "not a host name"),
            ("dev.example.com:8080", "public_port"),
            ("https://dev.example.com", "the name alone"),
            ("dev.example.com/path", "the name alone"),
            ("127.0.0.1", "names below it"),
            ("[::1]:80", "names below it"),
            ("a..b", "not a host name"),
            ("-a.b", "not a host name"),
            ("bücher.example", "xn--"),
            ("a b", "not a host name"),
        ];
        for (text, says) in domains {
            let wrong = with(|c| c.server.domain = text.to_owned()).unwrap_err();
            assert!(wrong.key == "server.domain" && wrong.reason.contains(says), "{text:?}: {wrong:?}");
        }
        assert_eq!(with(|c| c.server.scheme = "ftp".to_owned()).unwrap_err().key, "server.scheme");
        assert_eq!(with(|c| c.server.public_port = Some(0)).unwrap_err().key, "server.public_port");
        assert_eq!(with(|c| c.auth.session_hours = 0).unwrap_err().key, "auth.session_hours");
        assert_eq!(with(|c| c.worker.lease_seconds = 0).unwrap_err().key, "worker.lease_seconds");
    }

    #[test]
    fn every_name_it_takes_leads_to_workspaces() {
        let config = with(|c| c.server.domain = "DEV.example.com".to_owned()).unwrap();
        let url = config.public_url();
        let slug: crate::Slug = "quiet-fox-7k2p".parse().unwrap();
        let host = url::Url::parse(&url.ide(&slug)).unwrap().host_str().unwrap().to_owned();
        assert_eq!(crate::route::Host::parse(&host, &url.domain), crate::route::Host::Ide(slug));
    }
}
