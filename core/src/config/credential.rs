//! How to sign in at one Git host, and which address an entry is for.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Source;
use crate::secret::Secret;

/// How to sign in at one Git host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    /// User name over HTTP; for SSH where the address names none (`git` if empty).
    pub username: String,
    /// Password or token over HTTP.
    pub password: Secret<String>,
    /// Private key file for SSH.
    pub ssh_key: PathBuf,
    /// What the private key is locked with.
    pub ssh_passphrase: Secret<String>,
    /// Send user name and password over plain `http:` too, where everybody on the way can read them.
    /// Addresses of this machine need no permission.
    pub allow_http: bool,
    /// Hand user name and password to workspaces of this host's repositories, to fetch and push from
    /// inside. Every program in such a workspace can read them: use a token for these repositories alone.
    pub in_workspaces: bool,
}

impl Credential {
    /// Whether there is something to send over HTTP: a user name beside an SSH key is that key's.
    #[must_use]
    pub fn has_http(&self) -> bool {
        !self.password.reveal().is_empty() || (!self.username.is_empty() && self.ssh_key.as_os_str().is_empty())
    }

    /// Whether user name and password may go to an address: encrypted, or without leaving this machine.
    #[must_use]
    pub fn may_travel_to(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.allow_http || is_this_machine(url)
    }
}

impl Source {
    /// The credentials configured for an address: the entry of its exact host and port. An entry
    /// without a port is for the scheme's own port alone: another port may be another's service.
    #[must_use]
    pub fn credential(&self, url: &Url) -> Option<&Credential> {
        let (host, own) = (url.host_str()?, own_port(url.scheme())?);
        let port = url.port().unwrap_or(own);
        let named = |(key, found): (&String, _)| {
            let (name, named) = split(key);
            (name.eq_ignore_ascii_case(host) && named.unwrap_or(own) == port).then_some((named, found))
        };
        // One that names the port says more.
        self.credentials.iter().filter_map(named).max_by_key(|(named, _)| named.is_some()).map(|(_, found)| found)
    }
}

/// The host and the port that the name of an entry says.
fn split(key: &str) -> (&str, Option<u16>) {
    match key.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (key, None),
        },
        _ => (key, None),
    }
}

fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        "ssh" => Some(22),
        _ => None,
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, keys: &[&str]) -> Option<String> {
        let entry =
            |key: &&str| ((*key).to_owned(), Credential { username: (*key).to_owned(), ..Credential::default() });
        let source = Source { credentials: keys.iter().map(entry).collect(), ..Source::default() };
        source.credential(&Url::parse(url).unwrap()).map(|found| found.username.clone())
    }

    #[test]
    fn an_entry_is_for_its_exact_host_and_port() {
        let both = ["h.example", "h.example:3000"];
        assert_eq!(found("https://h.example/a", &both).as_deref(), Some("h.example"));
        assert_eq!(found("https://h.example:443/a", &both).as_deref(), Some("h.example"));
        assert_eq!(found("ssh://git@h.example/a", &both).as_deref(), Some("h.example"));
        assert_eq!(found("https://h.example:3000/a", &both).as_deref(), Some("h.example:3000"));
        assert_eq!(found("https://h.example:8443/a", &both), None);
        assert_eq!(found("ssh://git@h.example:2222/a", &both), None);
        assert_eq!(found("https://h.example.evil.example/a", &both), None);
        assert_eq!(found("https://h.example/a", &["h.example", "h.example:443"]).as_deref(), Some("h.example:443"));
        assert_eq!(found("https://H.example/a", &["H.Example"]).as_deref(), Some("H.Example"));
        assert_eq!(found("http://[::1]:3000/a", &["[::1]:3000"]).as_deref(), Some("[::1]:3000"));
        assert_eq!(found("file:///srv/a", &both), None);
    }

    #[test]
    fn a_password_goes_over_plain_http_only_where_it_was_allowed() {
        let may = |url: &str, allow_http| {
            Credential { allow_http, ..Credential::default() }.may_travel_to(&Url::parse(url).unwrap())
        };
        assert!(may("https://h.example/a", false));
        assert!(!may("http://h.example/a", false) && may("http://h.example/a", true));
        assert!(
            may("http://127.0.0.1:3000/a", false) && may("http://[::1]/a", false) && may("http://localhost/a", false)
        );
        assert!(!may("http://127.0.0.1.evil.example/a", false) && !may("http://10.0.0.1/a", false));
    }

    #[test]
    fn a_user_name_beside_a_key_is_not_for_http() {
        let credential = |username: &str, password: &str, key: &str| Credential {
            username: username.into(),
            password: Secret::new(password.into()),
            ssh_key: key.into(),
            ..Credential::default()
        };
        assert!(credential("token", "", "").has_http() && credential("", "token", "/key").has_http());
        assert!(!credential("git", "", "/key").has_http() && !credential("", "", "/key").has_http());
    }
}
