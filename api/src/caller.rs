//! Who makes a request, and what they have been granted.
//!
//! [`Caller`] is the only way into an operation; [`Granted`] is the only way to a workspace. Both are
//! proofs: whoever holds one has been checked.

use std::marker::PhantomData;

use poem::http::{HeaderMap, Method, header};
use poem::{FromRequest as _, Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use steading_core::access::{Action, Credential, Principal, may};
use steading_core::{Owner, SessionId, Slug, Workspace, WorkspaceId};

use crate::app::App;
use crate::problem::ApiError;

/// What the name of the browser's session cookie starts with; the installation's id follows. Host-only:
/// workspaces never see it.
pub const SESSION_COOKIE: &str = "steading_session";

/// How many session cookies are looked at. Another host of the domain can plant some of the same name that
/// sort first (RFC 6265, section 8.6); the first need not be the right one.
const MOST_SESSIONS: usize = 4;

/// The name of an installation's cookie. Cookies know no ports, so two installations on one host would
/// sign each other out if they shared it. Over https browsers see to it that no other host can plant a
/// cookie of this name (`__Host-`: RFC 6265bis, section 4.1.3.2).
#[must_use]
pub fn cookie_name(what: &str, installation: &str, is_https: bool) -> String {
    let prefix = if is_https { "__Host-" } else { "" };
    format!("{prefix}steading_{what}_{installation}")
}

/// Somebody who has shown a credential that holds.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    credential: Credential,
}

/// A text that names a workspace: its id or its slug.
#[derive(Debug, Clone)]
pub enum WorkspaceName {
    /// `ws_01j…`
    Id(WorkspaceId),
    /// `quiet-fox-7k2p`
    Slug(Slug),
}

impl WorkspaceName {
    /// Reads either; `None` means that no workspace can be called that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| text.parse().map(Self::Slug).ok())
    }
}

/// A kind of permission, as a type.
pub trait Permission {
    /// The action it stands for.
    const ACTION: Action;
}

macro_rules! permission {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Permission for $name {
            const ACTION: Action = Action::$name;
        }
    )+};
}

permission! {
    /// To see it.
    View,
    /// To start, stop and rebuild it.
    Operate,
    /// To delete it.
    Delete,
    /// To run commands in it.
    Enter,
}

/// Proof that the caller may do `P` to this workspace.
#[derive(Debug)]
pub struct Granted<P: Permission> {
    workspace: Workspace,
    permission: PhantomData<P>,
}

impl<P: Permission> Granted<P> {
    /// The workspace, as it was when the permission was given.
    #[must_use]
    pub const fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> WorkspaceId {
        self.workspace.id
    }
}

impl Caller {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What they showed.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The browser session, when there is one.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Session(session) => Some(session),
            Credential::Configured | Credential::Token(_) => None,
        }
    }

    /// Themselves as an owner.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        Owner::User(self.principal.user)
    }

    /// Checks an action that has no workspace.
    pub fn can(&self, action: Action) -> Result<(), ApiError> {
        if may(&self.principal, action, self.owner()) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "not-allowed",
            "This credential may not be used for that.",
            "Use a token with a wider scope, or ask the administrator.",
        ))
    }

    /// Finds a workspace by id or slug and checks what may be done with it. What is not there and what
    /// is not theirs to see answer the same.
    pub async fn may<P: Permission>(&self, app: &App, name: &str) -> Result<Granted<P>, ApiError> {
        let missing = || ApiError::not_found("workspace");
        let workspaces = app.store.workspaces();
        let workspace = match WorkspaceName::parse(name).ok_or_else(missing)? {
            WorkspaceName::Id(id) => workspaces.load(id).await,
            WorkspaceName::Slug(slug) => match workspaces.by_slug(&slug).await {
                Ok(Some(workspace)) => Ok(workspace),
                Ok(None) => return Err(missing()),
                Err(error) => Err(error),
            },
        };
        let workspace = match workspace {
            Ok(workspace) => workspace,
            Err(steading_store::StoreError::NotFound) => return Err(missing()),
            Err(error) => return Err(ApiError::from_fault(&error)),
        };
        if !may(&self.principal, Action::View, workspace.owner) {
            return Err(missing());
        }
        if !may(&self.principal, P::ACTION, workspace.owner) {
            return Err(ApiError::forbidden(
                "not-allowed",
                "This credential may look at the workspace, no more.",
                "Use a token with a wider scope.",
            ));
        }
        Ok(Granted { workspace, permission: PhantomData })
    }

    /// Reads the credential of a request, once: a bearer token first, then the session cookie. Other schemes of
    /// `Authorization` are for a proxy in front, which passes them on.
    pub async fn authenticate(app: &App, request: &Request) -> Result<Self, ApiError> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(known.clone());
        }
        if let Some(token) = bearer(request.headers()) {
            let shown = app.token(token).await?;
            let (credential, principal) =
                shown.ok_or_else(|| ApiError::unauthorized("The token does not hold (any more)."))?;
            return Ok(Self { principal, credential });
        }
        let cookies: Vec<&str> = cookies(request.headers(), &app.session_cookie).take(MOST_SESSIONS).collect();
        if cookies.is_empty() {
            let has_other = request.headers().contains_key(header::AUTHORIZATION);
            let other = "Nobody is signed in, and the Authorization header is not a bearer token.";
            return Err(ApiError::unauthorized(if has_other { other } else { "Nobody is signed in." }));
        }
        if is_foreign(request.method(), request.headers()) {
            return Err(ApiError::forbidden(
                "cross-site",
                "The request came from another site.",
                "Requests with a session cookie must come from Steading's own page; programs use a token.",
            ));
        }
        for cookie in cookies {
            let found = app.store.sessions().find(cookie).await;
            if let Some((session, principal)) = found.map_err(|e| ApiError::from_fault(&e))? {
                return Ok(Self { principal, credential: Credential::Session(session) });
            }
        }
        Err(ApiError::unauthorized("The session has ended."))
    }
}

/// The bearer token of a request, which may stand beside what a proxy in front is shown.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = shown.filter_map(|value| value.split_once(' '));
    pairs.find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim())
}

/// The values of all cookies of a name, read from the header itself: the same with every route and extractor.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    // Bytes, because one cookie that is no text must not hide the others.
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok().filter(|value| !value.is_empty())
    })
}

/// Whether a request that carries our cookie was made by another site: its Origin or Sec-Fetch-Site
/// names another host. Following a link (a top-level GET) is not foreign; workspaces are.
#[must_use]
pub fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let host = text("host").unwrap_or_default();
    if let Some(origin) = text("origin")
        && origin.split_once("://").is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host))
    {
        return true;
    }
    let navigation = matches!(*method, Method::GET | Method::HEAD) && text("sec-fetch-mode") == Some("navigate");
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => false,
        Some(_) => !navigation,
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty: &'static str, description: &'static str| MetaSecurityScheme {
            ty,
            description: Some(description),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(
            "token",
            MetaSecurityScheme { scheme: Some("bearer"), ..scheme("http", "An API token: `steading token create`.") },
        );
        registry.create_security_scheme(
            "session",
            MetaSecurityScheme {
                name: Some(SESSION_COOKIE),
                key_in: Some("cookie"),
                ..scheme(
                    "apiKey",
                    "The browser's session, made by a sign-in link. The name goes on with `_` and the \
                     installation's id; over https `__Host-` stands before it.",
                )
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["token", "session"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let app = poem::web::Data::<&App>::from_request_without_body(request).await?;
        Ok(Self::authenticate(app.0, request).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_workspace_cannot_use_the_session_of_its_owner() {
        let post = |pairs: &[(&'static str, &str)]| is_foreign(&Method::POST, &headers(pairs));
        assert!(post(&[("host", "localhost:8080"), ("origin", "http://fox.localhost:8080")]));
        assert!(post(&[("host", "localhost:8080"), ("origin", "null")]));
        assert!(post(&[("host", "localhost:8080"), ("sec-fetch-site", "same-site")]));
        assert!(post(&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]));
        assert!(!post(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")]));
        assert!(!post(&[("host", "localhost:8080")]));
    }

    #[test]
    fn every_cookie_of_the_name_is_read() {
        let name = cookie_name("session", "0a1b2c3d", false);
        let mut both = headers(&[("cookie", "steading_session_0a1b2c3d=planted; steading_session_ffffffff=other")]);
        both.append("cookie", header::HeaderValue::from_bytes(b"odd=\xff; steading_session_0a1b2c3d=mine").unwrap());
        assert_eq!(cookies(&both, &name).collect::<Vec<_>>(), ["planted", "mine"]);
        assert_eq!(cookie_name("session", "0a1b2c3d", true), "__Host-steading_session_0a1b2c3d");
        assert_eq!(cookies(&both, &cookie_name("session", "0a1b2c3d", true)).count(), 0);
    }

    #[test]
    fn following_a_link_is_allowed() {
        let get = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert!(!is_foreign(&Method::GET, &headers(&get)));
        let fetch = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
        assert!(is_foreign(&Method::GET, &headers(&fetch)));
    }
}
