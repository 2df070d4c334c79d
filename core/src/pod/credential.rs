//! What a workspace is handed to sign in at the host of its own repository.

use serde::Serialize;
use url::Url;

use crate::config::Source as Settings;
use crate::source::GitUrl;

/// What the helper in the container answers Git with (inside/README.md). It holds a secret, goes over
/// standard input, and is not kept anywhere.
#[derive(Serialize, PartialEq, Eq)]
pub struct Handed {
    protocol: String,
    host: String,
    paths: Vec<String>,
    username: String,
    password: String,
}

impl Handed {
    /// How many repositories it is for.
    #[must_use]
    pub const fn repositories(&self) -> usize {
        self.paths.len()
    }
}

/// What a workspace of this repository is given: the entry of its own host alone, whatever hosts its
/// submodules name. Those at the same host are named, so that the helper answers for them. `None` where
/// the administrator did not say so.
#[must_use]
pub fn handed(origin: &GitUrl, submodules: &[String], settings: &Settings) -> Option<Handed> {
    let url = origin.over_http()?;
    let found = settings.credential(&url)?;
    let is_fit = |text: &str| !text.contains(['\n', '\r', '\0']);
    let is_given = found.in_workspaces
        && found.has_http()
        && found.may_travel_to(&url)
        && is_fit(&found.username)
        && is_fit(found.password.reveal());
    is_given.then(|| {
        let modules = submodules.iter().filter_map(|url| GitUrl::new(Url::parse(url).ok()?).over_http());
        let paths = modules.filter(|module| module.origin() == url.origin()).map(|module| decoded(module.path()));
        Handed {
            protocol: url.scheme().to_owned(),
            host: GitUrl::new(url.clone()).host(),
            paths: std::iter::once(decoded(url.path())).chain(paths).collect(),
            username: found.username.clone(),
            password: found.password.reveal().clone(),
        }
    })
}

/// A path as Git tells its helpers, which is without escapes.
fn decoded(path: &str) -> String {
    let pair = format!("x={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, path)| path.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Credential;
    use crate::secret::Secret;

    fn paths(origin: &str, modules: &[&str], credential: Credential) -> Option<(String, Vec<String>)> {
        let credentials = [("h.example".to_owned(), credential)].into();
        let settings = Settings { credentials, ..Settings::default() };
        let modules: Vec<String> = modules.iter().map(|url| (*url).to_owned()).collect();
        let handed = handed(&GitUrl::new(Url::parse(origin).unwrap()), &modules, &settings)?;
        assert_eq!(handed.password, "token");
        Some((format!("{}://{}", handed.protocol, handed.host), handed.paths))
    }

    fn given() -> Credential {
        Credential { password: Secret::new("token".into()), in_workspaces: true, ..Credential::default() }
    }

    #[test]
    fn only_the_own_host_is_handed_over_and_only_on_request() {
        let modules = ["https://h.example/g/a%20b.git", "https://o.example/x", "ssh://git@h.example:22/g/c"];
        let (host, found) = paths("https://h.example/g/r.git", &modules, given()).unwrap();
        assert_eq!(host, "https://h.example");
        assert_eq!(found, ["/g/r.git", "/g/a b.git", "/g/c"]);
        assert_eq!(paths("https://h.example/g/r", &[], Credential { in_workspaces: false, ..given() }), None);
        // A stranger's repository gets nothing by naming a private one as its submodule.
        assert_eq!(paths("https://o.example/g/r", &["https://h.example/g/r"], given()), None);
        assert_eq!(paths("http://h.example/g/r", &[], given()), None);
        assert_eq!(paths("https://h.example:8443/g/r", &[], given()), None);
        assert_eq!(paths("file:///srv/r", &[], given()), None);
    }

    #[test]
    fn an_ssh_origin_is_reached_over_https_and_its_key_stays_out() {
        let key = Credential { ssh_key: "/key".into(), ..given() };
        let (host, found) = paths("ssh://git@h.example/g/r.git", &[], key).unwrap();
        assert_eq!((host.as_str(), found), ("https://h.example", vec!["/g/r.git".to_owned()]));
        let only = Credential { ssh_key: "/key".into(), in_workspaces: true, ..Credential::default() };
        assert_eq!(paths("ssh://git@h.example/g/r.git", &[], only), None);
    }
}
