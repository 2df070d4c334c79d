//! Who may do what. Pure: the API and the gateway turn a yes into a proof of their own.

use serde::{Deserialize, Serialize};

use crate::id::{SessionId, TokenId, UserId};
use crate::workspace::Owner;

/// What somebody is to this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May do everything to everybody's workspaces, and administer.
    Admin,
    /// May do everything to their own.
    Member,
}

/// What a credential may be used for, whatever its owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything its owner may do.
    All,
    /// Looking, never changing.
    Read,
    /// Registering prebuilds, nothing else: for CI.
    Prebuild,
}

/// Who somebody is, once they have shown a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// The person.
    pub user: UserId,
    /// What they are here.
    pub role: Role,
    /// What the credential may be used for.
    pub scope: Scope,
}

/// What somebody showed to prove who they are. Whatever it opens ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The administrator's token from the configuration.
    Configured,
    /// An API token.
    Token(TokenId),
    /// A browser's session.
    Session(SessionId),
}

/// Something that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// See a workspace, its events, its log.
    View,
    /// Make workspaces.
    Create,
    /// Start, stop, rebuild.
    Operate,
    /// Delete for good.
    Delete,
    /// Run commands in it, open its terminal, its IDE, its ports.
    Enter,
    /// Register or list prebuilds.
    Prebuild,
    /// Tokens, users, configuration.
    Administer,
}

/// Whether a principal may do something to things of this owner. For actions without a subject
/// (`Create`, `Prebuild`, `Administer`) the owner is the principal's own user.
#[must_use]
pub fn may(principal: &Principal, action: Action, owner: Owner) -> bool {
    let scope_allows = match principal.scope {
        Scope::All => true,
        Scope::Read => action == Action::View,
        Scope::Prebuild => action == Action::Prebuild,
    };
    let role_allows = match principal.role {
        Role::Admin => true,
        Role::Member => action != Action::Administer && owner == Owner::User(principal.user),
    };
    scope_allows && role_allows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, scope: Scope) -> Principal {
        Principal { user: UserId::new(), role, scope }
    }

    #[test]
    fn a_member_is_master_at_home_only() {
        let me = principal(Role::Member, Scope::All);
        let mine = Owner::User(me.user);
        let other = Owner::User(UserId::new());
        assert!(may(&me, Action::Delete, mine));
        assert!(!may(&me, Action::View, other));
        assert!(!may(&me, Action::Administer, mine));
        assert!(may(&principal(Role::Admin, Scope::All), Action::Enter, other));
    }

    #[test]
    fn a_scope_narrows_even_an_administrator() {
        let reader = principal(Role::Admin, Scope::Read);
        assert!(may(&reader, Action::View, Owner::User(reader.user)));
        assert!(!may(&reader, Action::Enter, Owner::User(reader.user)));
        let ci = principal(Role::Admin, Scope::Prebuild);
        assert!(may(&ci, Action::Prebuild, Owner::User(ci.user)));
        assert!(!may(&ci, Action::View, Owner::User(ci.user)));
    }
}
