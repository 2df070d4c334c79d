//! How a repository is reached: stand-ins, and who we are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use steading_core::Secret;
use steading_core::config::Credential;
use steading_core::source::GitUrl;
use url::Url;

/// Who we are at a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// The user; may be empty.
    pub username: String,
    /// The password or token.
    pub password: Secret<String>,
    /// The private key for SSH.
    pub ssh_key: Option<PathBuf>,
}

/// A repository's address as it is fetched: after stand-ins, and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Where to fetch.
    pub url: Url,
    /// Who we are there.
    pub login: Option<Login>,
    /// The host with its port, as credentials are configured for it.
    pub host: String,
}

impl Address {
    /// The address of a repository under a configuration.
    pub fn of(url: &GitUrl, mirrors: &BTreeMap<String, String>, credentials: &BTreeMap<String, Credential>) -> Self {
        let own = login_in(url.reveal());
        let replaced = stand_in(&url.without_secrets(), mirrors);
        let is_replaced = replaced.is_some();
        let url = replaced.unwrap_or_else(|| url.without_secrets());
        let host = GitUrl::new(url.clone()).host();
        // A secret in the URL is meant for the host that the URL names, not for its stand-in.
        let login = own.filter(|_| !is_replaced).or_else(|| configured(&url, &host, credentials));
        Self { url, login, host }
    }

    /// The address for people.
    pub fn shown(&self) -> String {
        GitUrl::new(self.url.clone()).to_string()
    }
}

/// Hosts that stand in for others.
pub(crate) fn trusted(mirrors: &BTreeMap<String, String>) -> impl Iterator<Item = String> + '_ {
    mirrors.values().filter_map(|target| parse_target(target, "https")?.host_str().map(str::to_owned))
}

fn login_in(url: &Url) -> Option<Login> {
    let decode = |text: &str| {
        let pairs = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pairs.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let has_secret = url.password().is_some() || (!url.username().is_empty() && url.scheme() != "ssh");
    has_secret.then(|| Login {
        username: decode(url.username()),
        password: Secret::new(url.password().map(decode).unwrap_or_default()),
        ssh_key: None,
    })
}

fn configured(url: &Url, host: &str, credentials: &BTreeMap<String, Credential>) -> Option<Login> {
    let found = credentials.get(host).or_else(|| credentials.get(url.host_str()?))?;
    Some(Login {
        username: found.username.clone(),
        password: found.password.clone(),
        ssh_key: (!found.ssh_key.as_os_str().is_empty()).then(|| found.ssh_key.clone()),
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
                ..Credential::default()
            };
            ((*host).to_owned(), credential)
        };
        let credentials = hosts.iter().map(credential).collect();
        Address::of(&GitUrl::new(Url::parse(url).unwrap()), &mirrors, &credentials)
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
        let own = address("https://me:s%2Bcret@h.example/a/b", &[], &["h.example"]).login.unwrap();
        assert_eq!((own.username.as_str(), own.password.reveal().as_str()), ("me", "s+cret"));
        let replaced = address("https://me:secret@h.example/a/b", &[("h.example", "m.test")], &["m.test"]);
        assert_eq!(replaced.login.unwrap().password.reveal(), "m.test");
        assert_eq!(replaced.url.as_str(), "https://m.test/a/b");
        let port = address("https://h.example:3000/a/b", &[], &["h.example", "h.example:3000"]).login.unwrap();
        assert_eq!(port.password.reveal(), "h.example:3000");
        assert_eq!(address("https://other.example/a/b", &[], &["h.example"]).login, None);
    }
}
