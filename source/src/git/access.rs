//! How a repository is reached: stand-ins, and who we are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use steading_core::Secret;
use steading_core::config::{Credential, Source as SourceConfig};
use steading_core::source::GitUrl;
use url::Url;

/// Who we are over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basic {
    /// The user; may be empty.
    pub username: String,
    /// The password or token.
    pub password: Secret<String>,
    /// May be sent without encryption.
    pub may_plain: bool,
}

/// Who we are over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The user where the address names none; may be empty.
    pub username: String,
    /// The file of the private key.
    pub file: PathBuf,
    /// What it is locked with; may be empty.
    pub passphrase: Secret<String>,
}

/// A repository's address as it is fetched: after stand-ins, and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Where to fetch.
    pub url: Url,
    /// The host with its port, as credentials are configured for it.
    pub host: String,
    /// Who we are there over HTTP; for an SSH address, at its host over HTTPS.
    pub basic: Option<Basic>,
    /// Who we are there over SSH.
    pub key: Option<Key>,
}

impl Address {
    /// The address of a repository under a configuration.
    pub fn of(url: &GitUrl, mirrors: &BTreeMap<String, String>, settings: &SourceConfig) -> Self {
        let own = login_in(url.reveal());
        let replaced = stand_in(&url.without_secrets(), mirrors);
        let is_replaced = replaced.is_some();
        let url = replaced.unwrap_or_else(|| url.without_secrets());
        let host = GitUrl::new(url.clone()).host();
        // A secret in the URL is meant for the host that the URL names, not for its stand-in.
        let basic = own
            .filter(|_| !is_replaced)
            .or_else(|| basic(settings.credential(&GitUrl::new(url.clone()).over_http()?)?, &url));
        let key = settings.credential(&url).filter(|_| url.scheme() == "ssh").and_then(key);
        Self { url, host, basic, key }
    }

    /// Who we are at another address that the host of this one named: nobody, unless it is the same
    /// host, and what is sent there is safe on the way.
    pub fn basic_at(&self, url: &Url) -> Option<&Basic> {
        let is_ours = url.origin() == self.http_origin() || upgraded(&self.url, url);
        self.basic.as_ref().filter(|basic| is_ours && (url.scheme() == "https" || basic.may_plain))
    }

    /// Whether there are credentials for the host that must not be sent without encryption.
    pub fn keeps_basic(&self) -> bool {
        self.basic.is_some() && self.basic_at(&self.url).is_none()
    }

    /// The address for people.
    pub fn shown(&self) -> String {
        GitUrl::new(self.url.clone()).to_string()
    }

    /// The address over HTTP; `None` for a folder of this machine.
    pub fn over_http(&self) -> Option<Url> {
        GitUrl::new(self.url.clone()).over_http()
    }

    fn http_origin(&self) -> url::Origin {
        self.over_http().map_or_else(|| self.url.origin(), |url| url.origin())
    }
}

/// The same host, asking for an encrypted connection.
fn upgraded(from: &Url, to: &Url) -> bool {
    from.host_str() == to.host_str()
        && from.scheme() == "http"
        && to.scheme() == "https"
        && from.port().is_none()
        && to.port().is_none()
}

/// Hosts that stand in for others.
pub(crate) fn trusted(mirrors: &BTreeMap<String, String>) -> impl Iterator<Item = String> + '_ {
    mirrors.values().filter_map(|target| parse_target(target, "https")?.host_str().map(str::to_owned))
}

fn login_in(url: &Url) -> Option<Basic> {
    let decode = |text: &str| {
        let pairs = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pairs.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let has_secret = url.password().is_some() || (!url.username().is_empty() && url.scheme() != "ssh");
    // Whoever writes a secret into a plain address wants it sent there.
    has_secret.then(|| Basic {
        username: decode(url.username()),
        password: Secret::new(url.password().map(decode).unwrap_or_default()),
        may_plain: true,
    })
}

fn basic(found: &Credential, url: &Url) -> Option<Basic> {
    found.has_http().then(|| Basic {
        username: found.username.clone(),
        password: found.password.clone(),
        may_plain: found.may_travel_to(url),
    })
}

fn key(found: &Credential) -> Option<Key> {
    (!found.ssh_key.as_os_str().is_empty()).then(|| Key {
        username: found.username.clone(),
        file: found.ssh_key.clone(),
        passphrase: found.ssh_passphrase.clone(),
    })
}

/// What stands in for the longest prefix of `host/path`, at a component's boundary.
fn stand_in(url: &Url, mirrors: &BTreeMap<String, String>) -> Option<Url> {
    let plain = format!("{}{}", GitUrl::new(url.clone()).host(), url.path());
    let (prefix, target) = mirrors
        .iter()
        .filter(|(prefix, _)| {
            plain
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
        })
        .max_by_key(|(prefix, _)| prefix.len())?;
    let rest = plain.strip_prefix(prefix.as_str()).unwrap_or_default();
    let scheme = if url.scheme() == "http" { "http" } else { "https" };
    let mut replaced = parse_target(target, scheme)?;
    let path = format!("{}/{}", replaced.path().trim_end_matches('/'), rest.trim_start_matches('/'));
    replaced.set_path(path.trim_end_matches('/'));
    Some(replaced)
}

fn parse_target(target: &str, scheme: &str) -> Option<Url> {
    let text = if target.contains("://") { target.to_owned() } else { format!("{scheme}://{target}") };
    Url::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, mirrors: &[(&str, &str)], hosts: &[&str]) -> Address {
        let mirrors = mirrors.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let credential = |host: &&str| {
            let credential = Credential {
                username: "bot".into(),
                password: Secret::new((*host).to_owned()),
                ssh_key: "/key".into(),
                ssh_passphrase: Secret::new("phrase".to_owned()),
                ..Credential::default()
            };
            ((*host).to_owned(), credential)
        };
        let settings = SourceConfig { credentials: hosts.iter().map(credential).collect(), ..SourceConfig::default() };
        Address::of(&GitUrl::new(Url::parse(url).unwrap()), &mirrors, &settings)
    }

    fn sent(address: &Address, to: &str) -> Option<String> {
        address.basic_at(&Url::parse(to).unwrap()).map(|basic| basic.password.reveal().clone())
    }

    #[test]
    fn the_longest_stand_in_replaces_host_and_folder() {
        let mirrors = [("github.com", "mirror.test/gh"), ("github.com/org", "http://127.0.0.1:3000/x")];
        let to = |url: &str| address(url, &mirrors, &[]).url.to_string();
        assert_eq!(to("https://github.com/a/b.git"), "https://mirror.test/gh/a/b.git");
        assert_eq!(to("https://github.com/org/b"), "http://127.0.0.1:3000/x/b");
        assert_eq!(to("https://github.com/organ/b"), "https://mirror.test/gh/organ/b");
        assert_eq!(to("ssh://git@github.com/a/b"), "https://mirror.test/gh/a/b");
        assert_eq!(to("https://github.com.evil.example/a/b"), "https://github.com.evil.example/a/b");
    }

    #[test]
    fn secrets_go_to_the_host_they_are_meant_for() {
        let own = address("https://me:s%2Bcret@h.example/a/b", &[], &["h.example"]).basic.unwrap();
        assert_eq!((own.username.as_str(), own.password.reveal().as_str()), ("me", "s+cret"));
        let replaced = address("https://me:secret@h.example/a/b", &[("h.example", "m.test")], &["m.test"]);
        assert_eq!(replaced.basic.unwrap().password.reveal(), "m.test");
        assert_eq!(replaced.url.as_str(), "https://m.test/a/b");
        let port = address("https://h.example:3000/a/b", &[], &["h.example", "h.example:3000"]).basic.unwrap();
        assert_eq!(port.password.reveal(), "h.example:3000");
        for other in ["https://other.example/a/b", "https://h.example:8443/a/b", "http://h.example:443/a/b"] {
            assert_eq!(sent(&address(other, &[], &["h.example"]), other), None, "{other}");
        }
    }

    #[test]
    fn what_is_configured_is_not_sent_in_the_clear() {
        let plain = address("http://h.example/a/b", &[], &["h.example"]);
        assert_eq!(sent(&plain, "http://h.example/a/b"), None);
        assert!(plain.keeps_basic());
        assert_eq!(sent(&plain, "https://h.example/a/b").as_deref(), Some("h.example"), "the host sent us on");
        assert_eq!(sent(&plain, "https://o.example/a/b"), None);
        let own = address("http://me:secret@h.example/a/b", &[], &[]);
        assert_eq!(sent(&own, "http://h.example/a/b").as_deref(), Some("secret"));
        let here = address("http://127.0.0.1:3000/a", &[], &["127.0.0.1:3000"]);
        assert_eq!(sent(&here, "http://127.0.0.1:3000/a").as_deref(), Some("127.0.0.1:3000"));
        let ported = address("http://h.example:8080/a", &[], &["h.example:8080"]);
        assert_eq!(sent(&ported, "https://h.example/a"), None, "another service");
    }

    #[test]
    fn keys_are_for_ssh_and_passwords_for_http() {
        let ssh = address("ssh://git@h.example:2222/a/b", &[], &["h.example", "h.example:2222"]);
        assert_eq!(ssh.key.as_ref().unwrap().passphrase.reveal(), "phrase");
        assert_eq!(sent(&ssh, "https://h.example/a/b.git/info/lfs").as_deref(), Some("h.example"));
        assert_eq!(sent(&ssh, "https://h.example:2222/a/b.git/info/lfs"), None);
        assert_eq!(address("ssh://git@h.example:2222/a/b", &[], &["h.example"]).key, None);
        assert_eq!(address("https://h.example/a/b", &[], &["h.example"]).key, None);
        let only = Credential { ssh_key: "/key".into(), username: "git".into(), ..Credential::default() };
        let credentials = BTreeMap::from([("h.example".to_owned(), only)]);
        let settings = SourceConfig { credentials, ..SourceConfig::default() };
        let url = GitUrl::new(Url::parse("https://h.example/a/b").unwrap());
        assert_eq!(Address::of(&url, &BTreeMap::new(), &settings).basic, None);
    }
}
