//! Who is let in. The decision is pure; the looking-up is around it.

use std::sync::Arc;

use http::HeaderMap;
use steading_core::access::{self, Action, Principal, Scope};
use steading_core::route::Host;
use steading_core::routes::{Route, Visibility};

use super::cookie;
use crate::cache::Unanswered;
use crate::directory::Directory;

/// Proof that somebody may use what a host leads to.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Where it leads.
    pub route: Arc<Route>,
    /// Whether they may enter the workspace itself, and so know how it fares.
    pub is_inside: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Admit(Admitted),
    /// Nobody is signed in here: off to the control plane. Says nothing of whether the workspace exists.
    SignIn,
    /// There is no such thing, or it is not theirs; they cannot tell which.
    Hide,
}

/// Looks up who asks and what for, and decides.
pub async fn admit(
    directory: &Directory,
    host: &Host,
    label: &str,
    headers: &HeaderMap,
) -> Result<Verdict, Unanswered> {
    let (slug, port) = match host {
        Host::Ide(slug) => (slug, None),
        Host::Port(slug, port) => (slug, Some(*port)),
        Host::Control | Host::Unknown => return Ok(Verdict::Hide),
    };
    let mut principal = None;
    for value in cookie::entries(headers) {
        principal = directory.entry(value, label).await?;
        if principal.is_some() {
            break;
        }
    }
    if principal.is_none() && port.is_none() {
        return Ok(Verdict::SignIn);
    }
    let route = directory.find(slug).await?;
    Ok(decide(route, port, principal.as_ref()))
}

fn decide(route: Option<Arc<Route>>, port: Option<u16>, principal: Option<&Principal>) -> Verdict {
    let visibility = match (&route, port) {
        // The editor's port is the editor, by whatever name it is called.
        (Some(route), Some(port)) if route.ide_port != Some(port) => {
            route.visibility.get(&port).copied().unwrap_or_default()
        }
        _ => Visibility::Private,
    };
    let Some(route) = route else {
        return if principal.is_none() { Verdict::SignIn } else { Verdict::Hide };
    };
    let is_inside = principal.is_some_and(|who| access::may(who, Action::Enter, route.owner));
    let is_shared = match visibility {
        Visibility::Public => true,
        Visibility::SignedIn => principal.is_some_and(|who| who.scope == Scope::All),
        Visibility::Private => false,
    };
    match principal {
        _ if is_inside || is_shared => Verdict::Admit(Admitted { route, is_inside }),
        None => Verdict::SignIn,
        Some(_) => Verdict::Hide,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use steading_core::access::Role;
    use steading_core::{Desired, Owner, Phase, UserId, WorkspaceId};

    use super::*;

    fn route(owner: UserId, visibility: Visibility) -> Arc<Route> {
        Arc::new(Route {
            workspace: WorkspaceId::new(),
            slug: "fox".parse().unwrap(),
            owner: Owner::User(owner),
            phase: Phase::Running,
            desired: Desired::Running,
            ide_port: Some(39_378),
            folder: None,
            failure: None,
            visibility: BTreeMap::from([(3000, visibility), (39_378, visibility)]),
        })
    }

    fn member(scope: Scope) -> Principal {
        Principal { user: UserId::new(), role: Role::Member, scope }
    }

    #[test]
    fn visibility_opens_a_port_and_never_the_editor() {
        let me = member(Scope::All);
        let other = member(Scope::All);
        let reader = member(Scope::Read);
        let to = |visibility, port, who| decide(Some(route(me.user, visibility)), port, who);
        assert!(matches!(to(Visibility::Private, Some(3000), Some(&me)), Verdict::Admit(_)));
        assert!(matches!(to(Visibility::Private, Some(3000), Some(&other)), Verdict::Hide));
        assert!(matches!(to(Visibility::Private, Some(3000), None), Verdict::SignIn));
        assert!(matches!(to(Visibility::SignedIn, Some(3000), Some(&other)), Verdict::Admit(_)));
        assert!(matches!(to(Visibility::SignedIn, Some(3000), Some(&reader)), Verdict::Hide));
        assert!(matches!(to(Visibility::Public, Some(3000), None), Verdict::Admit(_)));
        for port in [None, Some(39_378)] {
            assert!(matches!(to(Visibility::Public, port, Some(&other)), Verdict::Hide));
            assert!(matches!(to(Visibility::Public, port, None), Verdict::SignIn));
        }
    }

    #[test]
    fn a_stranger_cannot_tell_what_exists() {
        assert!(matches!(decide(None, Some(3000), None), Verdict::SignIn));
        assert!(matches!(decide(None, None, Some(&member(Scope::All))), Verdict::Hide));
    }
}
