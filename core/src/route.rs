//! Host names: `quiet-fox-7k2p.ws.example.com` is a workspace's IDE, `3000-quiet-fox-7k2p.…` its port 3000.

use std::fmt;

use crate::slug::Slug;

/// What the host name of a request leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// The control plane: the bare domain, an address, or any other name of this server.
    Control,
    /// A workspace's IDE.
    Ide(Slug),
    /// A port inside a workspace.
    Port(Slug, u16),
    /// A name below the domain that cannot be a workspace's.
    Unknown,
}

impl Host {
    /// Reads the `Host` header (or `:authority`) of a request, with or without a port.
    ///
    /// `domain` is the one that workspaces live under (`ws.example.com`, `localhost`), without a port.
    /// Names are compared without regard to case (RFC 4343); a single dot at the end is ignored.
    #[must_use]
    pub fn parse(header: &str, domain: &str) -> Self {
        let name = without_port(header).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let Some(label) = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')) else {
            return Self::Control;
        };
        if let Ok(slug) = label.parse::<Slug>() {
            return Self::Ide(slug);
        }
        let Some((port, slug)) = label.split_once('-') else {
            return Self::Unknown;
        };
        let digits = !port.is_empty() && !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit());
        match (digits.then(|| port.parse::<u16>()), slug.parse::<Slug>()) {
            (Some(Ok(port)), Ok(slug)) => Self::Port(slug, port),
            _ => Self::Unknown,
        }
    }

    /// The workspace it belongs to, if any.
    #[must_use]
    pub const fn slug(&self) -> Option<&Slug> {
        match self {
            Self::Ide(slug) | Self::Port(slug, _) => Some(slug),
            Self::Control | Self::Unknown => None,
        }
    }

    /// The first label of the host name; `None` for names that are not a workspace's.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        match self {
            Self::Ide(slug) => Some(slug.to_string()),
            Self::Port(slug, port) => Some(format!("{port}-{slug}")),
            Self::Control | Self::Unknown => None,
        }
    }
}

/// Whether a path (with its query) stays on the host it is followed at. `//host`, `/\host` and the like
/// lead elsewhere (WHATWG URL, "relative slash state"; tabs and line ends are dropped there before parsing).
#[must_use]
pub fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.chars().any(char::is_control)
}

fn without_port(header: &str) -> &str {
    // An address in brackets keeps its colons (RFC 3986, section 3.2.2).
    match header.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => name,
        _ => header,
    }
}

/// How URLs of this installation look from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// The domain that workspaces live under.
    pub domain: String,
    /// The port, if it is not the scheme's own.
    pub port: Option<u16>,
}

impl PublicUrl {
    /// Where the workspace's IDE is.
    #[must_use]
    pub fn ide(&self, slug: &Slug) -> String {
        self.at(slug.as_str())
    }

    /// Where a port of the workspace is.
    #[must_use]
    pub fn port(&self, slug: &Slug, port: u16) -> String {
        self.at(&format!("{port}-{slug}"))
    }

    fn at(&self, label: &str) -> String {
        let Self { scheme, domain, port } = self;
        let port = port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{scheme}://{label}.{domain}{port}/")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, domain, port } = self;
        write!(f, "{scheme}://{domain}")?;
        port.map_or(Ok(()), |p| write!(f, ":{p}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lead_where_they_say() {
        let to = |host: &str| Host::parse(host, "ws.example.com");
        let fox: Slug = "quiet-fox-7k2p".parse().unwrap();
        assert_eq!(to("quiet-fox-7k2p.ws.example.com"), Host::Ide(fox.clone()));
        assert_eq!(to("Quiet-Fox-7K2P.WS.example.com.:8080"), Host::Ide(fox.clone()));
        assert_eq!(to("3000-quiet-fox-7k2p.ws.example.com"), Host::Port(fox, 3000));
        assert_eq!(to("ws.example.com"), Host::Control);
        assert_eq!(to("127.0.0.1:8080"), Host::Control);
        assert_eq!(to("[::1]:8080"), Host::Control);
        assert_eq!(to("evilws.example.com"), Host::Control);
    }

    #[test]
    fn hostile_names_lead_nowhere() {
        for bad in [
            "a.b.localhost",
            "0-fox.localhost",
            "00080-fox.localhost",
            "65536-fox.localhost",
            "99999999999999999999-fox.localhost",
            "3000-.localhost",
            "-fox.localhost",
            "3000-8080-fox.localhost",
            "xn--fox.localhost",
            ".localhost",
        ] {
            assert_eq!(Host::parse(bad, "localhost"), Host::Unknown, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(port in 1u16.., ide in any::<bool>()) {
            let slug = Slug::random();
            let host = if ide { Host::Ide(slug) } else { Host::Port(slug, port) };
            let text = format!("{}.localhost:8080", host.label().unwrap());
            prop_assert_eq!(Host::parse(&text, "localhost"), host);
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = Host::parse(&text, "localhost");
        }
    }
}
