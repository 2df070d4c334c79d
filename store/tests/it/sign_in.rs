//! Sessions, tokens, links and tickets: good once, or until they end.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use steading_core::access::{Credential, Role, Scope};
use steading_core::{Secret, TokenId, UserId};
use steading_store::{Store, StoreError};

use crate::world::World;

on_each_database!(
    the_administrator_is_the_same_for_all,
    a_session_ends_when_it_is_closed_or_old,
    a_token_is_good_until_it_ends,
    the_configured_token_is_the_administrators,
    a_link_works_once,
    a_ticket_works_once_at_its_host,
    an_entry_ends_with_its_session,
    what_a_token_opened_ends_with_it,
    what_the_configured_token_opened_ends_when_it_is_replaced,
    signing_out_everywhere_spares_tokens_and_others,
    what_has_expired_is_forgotten,
);

async fn the_administrator_is_the_same_for_all(world: &World) {
    let other = world.another().await;
    assert_eq!(world.store.users().admin(), other.users().admin());
    assert_eq!(world.store.installation(), other.installation());
    assert_eq!(world.store.installation().len(), 8);
    let admin = world.store.users().load(other.users().admin()).await.unwrap();
    assert_eq!(admin.role, Role::Admin);
    assert_eq!(world.store.users().list().await.unwrap(), [admin]);
}

async fn a_session_ends_when_it_is_closed_or_old(world: &World) {
    let sessions = world.store.sessions();
    let admin = world.store.users().admin();
    let cookie = sessions.open(admin, 1).await.unwrap();
    let (id, principal) = sessions.find(cookie.reveal()).await.unwrap().unwrap();
    assert_eq!((principal.user, principal.scope), (admin, Scope::All));
    assert!(sessions.find("made up").await.unwrap().is_none());
    sessions.close(id).await.unwrap();
    assert!(sessions.find(cookie.reveal()).await.unwrap().is_none());

    let (old, another) = (sessions.open(admin, 0).await.unwrap(), sessions.open(admin, 1).await.unwrap());
    assert!(sessions.find(old.reveal()).await.unwrap().is_none());
    sessions.close_all(admin).await.unwrap();
    assert!(sessions.find(another.reveal()).await.unwrap().is_none());
}

async fn a_token_is_good_until_it_ends(world: &World) {
    let tokens = world.store.tokens();
    let admin = world.store.users().admin();
    let (id, token) = tokens.create(admin, "ci", Scope::Prebuild, None).await.unwrap();
    let past = Some(Utc::now() - TimeDelta::seconds(5));
    let (_, old) = tokens.create(admin, "old", Scope::All, past).await.unwrap();
    let (shown, principal) = tokens.find(token.reveal()).await.unwrap().unwrap();
    assert_eq!(shown, Credential::Token(id));
    assert_eq!((principal.user, principal.role, principal.scope), (admin, Role::Admin, Scope::Prebuild));
    assert!(tokens.find(old.reveal()).await.unwrap().is_none());
    assert!(tokens.find("").await.unwrap().is_none());
    let list = tokens.list(admin).await.unwrap();
    assert_eq!(list.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["old", "ci"]);
    assert!(list[1].used_at.is_some());
    tokens.revoke(admin, id).await.unwrap();
    assert!(tokens.find(token.reveal()).await.unwrap().is_none());
    assert!(matches!(tokens.revoke(admin, TokenId::new()).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_token_is_good_while_its_use_cannot_be_noted() {
    let world = World::sqlite().await;
    let tokens = world.store.tokens();
    let admin = world.store.users().admin();
    let (id, token) = tokens.create(admin, "ci", Scope::All, None).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON token BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END";
    world.execute(full).await;
    let (shown, _) = tokens.find(token.reveal()).await.unwrap().unwrap();
    assert_eq!(shown, Credential::Token(id));
    assert_eq!(tokens.list(admin).await.unwrap()[0].used_at, None);
}

async fn the_configured_token_is_the_administrators(world: &World) {
    let mut config = world.config.clone();
    config.auth.admin_token = Secret::new("from-the-environment".into());
    let store = Store::open(&config).await.unwrap();
    let (shown, principal) = store.tokens().find("from-the-environment").await.unwrap().unwrap();
    assert_eq!(shown, Credential::Configured);
    assert_eq!((principal.user, principal.role), (store.users().admin(), Role::Admin));
    assert!(world.store.tokens().find("from-the-environment").await.unwrap().is_none());
}

async fn a_link_works_once(world: &World) {
    let links = world.store.links();
    let link = links.mint().await.unwrap();
    let other = world.another().await;
    let tries = (0..8_usize).map(|n| {
        let store = if n.is_multiple_of(2) { world.store.clone() } else { other.clone() };
        let link = link.clone();
        async move { store.links().redeem(link.reveal()).await.unwrap() }
    });
    let signed_in: Vec<_> = futures::future::join_all(tries).await.into_iter().flatten().collect();
    assert_eq!(signed_in, [world.store.users().admin()]);
    let late = links.mint_for(signed_in[0], Duration::from_millis(50)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(links.redeem(late.reveal()).await.unwrap().is_none());
}

async fn a_ticket_works_once_at_its_host(world: &World) {
    let tickets = world.store.tickets();
    let admin = world.store.users().admin();
    let ticket = tickets.issue("quiet-fox", admin, Credential::Configured).await.unwrap();
    let cookie = tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().unwrap();
    assert!(tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().is_none());
    assert_eq!(tickets.entry(cookie.reveal(), "quiet-fox").await.unwrap().unwrap().user, admin);
    assert!(tickets.entry(cookie.reveal(), "3000-quiet-fox").await.unwrap().is_none());
    assert!(tickets.entry(ticket.reveal(), "quiet-fox").await.unwrap().is_none());

    let stolen = tickets.issue("quiet-fox", admin, Credential::Configured).await.unwrap();
    assert!(tickets.redeem(stolen.reveal(), "evil-fox").await.unwrap().is_none());
    assert!(tickets.redeem(stolen.reveal(), "quiet-fox").await.unwrap().is_none(), "it was shown elsewhere");

    let late = tickets.issue("quiet-fox", admin, Credential::Configured).await.unwrap();
    world.execute("UPDATE ticket SET expires_at = expires_at - 61000000").await;
    assert!(tickets.redeem(late.reveal(), "quiet-fox").await.unwrap().is_none());
}

async fn an_entry_ends_with_its_session(world: &World) {
    let (tickets, sessions) = (world.store.tickets(), world.store.sessions());
    let admin = world.store.users().admin();
    let cookie = sessions.open(admin, 1).await.unwrap();
    let (session, _) = sessions.find(cookie.reveal()).await.unwrap().unwrap();
    let ticket = tickets.issue("quiet-fox", admin, Credential::Session(session)).await.unwrap();
    let pending = tickets.issue("quiet-fox", admin, Credential::Session(session)).await.unwrap();
    let entry = tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().unwrap();
    assert!(tickets.entry(entry.reveal(), "quiet-fox").await.unwrap().is_some());
    sessions.close(session).await.unwrap();
    assert!(tickets.entry(entry.reveal(), "quiet-fox").await.unwrap().is_none());
    assert!(tickets.redeem(pending.reveal(), "quiet-fox").await.unwrap().is_none());
}

async fn what_a_token_opened_ends_with_it(world: &World) {
    let (tokens, tickets, sessions) = (world.store.tokens(), world.store.tickets(), world.store.sessions());
    let admin = world.store.users().admin();
    let soon = Some(Utc::now() + TimeDelta::minutes(30));
    let (id, _) = tokens.create(admin, "laptop", Scope::All, soon).await.unwrap();
    let (other, _) = tokens.create(admin, "other", Scope::All, None).await.unwrap();
    let cookie = sessions.open_by(id, 720).await.unwrap().unwrap();
    let (session, principal) = sessions.find(cookie.reveal()).await.unwrap().unwrap();
    assert_eq!((principal.user, principal.scope), (admin, Scope::All));
    let spared = sessions.open_by(other, 720).await.unwrap().unwrap();

    let enter = async |shown| {
        let ticket = tickets.issue("quiet-fox", admin, shown).await.unwrap();
        tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().unwrap()
    };
    let entries = [enter(Credential::Session(session)).await, enter(Credential::Token(id)).await];
    let spared_entry = enter(Credential::Token(other)).await;
    let pending = tickets.issue("quiet-fox", admin, Credential::Token(id)).await.unwrap();

    // Nothing lasts longer than the token would by itself.
    let database = world.database().await;
    for table in ["session", "entry"] {
        use sea_orm::{ConnectionTrait as _, Statement};
        let sql = format!("SELECT MIN(expires_at) AS at FROM {table} WHERE token_id IS NOT NULL");
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get::<Option<i64>>("", "at").unwrap(), soon.map(|at| at.timestamp_micros()), "{table}");
    }

    tokens.revoke(admin, id).await.unwrap();
    assert!(sessions.find(cookie.reveal()).await.unwrap().is_none());
    for entry in entries {
        assert!(tickets.entry(entry.reveal(), "quiet-fox").await.unwrap().is_none());
    }
    assert!(tickets.redeem(pending.reveal(), "quiet-fox").await.unwrap().is_none());
    assert!(sessions.open_by(id, 720).await.unwrap().is_none(), "it opens nothing any more");
    assert!(sessions.find(spared.reveal()).await.unwrap().is_some());
    assert!(tickets.entry(spared_entry.reveal(), "quiet-fox").await.unwrap().is_some());
}

async fn what_the_configured_token_opened_ends_when_it_is_replaced(world: &World) {
    let with = async |token: &str| {
        let mut config = world.config.clone();
        config.auth.admin_token = Secret::new(token.into());
        Store::open(&config).await.unwrap()
    };
    assert!(world.store.sessions().open_by_configured(1).await.unwrap().is_none(), "none is configured");
    for next in ["another", ""] {
        let store = with("the first").await;
        let (sessions, tickets, admin) = (store.sessions(), store.tickets(), store.users().admin());
        let (id, _) = store.tokens().create(admin, "ci", Scope::All, None).await.unwrap();
        let enter = async |shown| {
            let ticket = tickets.issue("quiet-fox", admin, shown).await.unwrap();
            tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().unwrap()
        };
        let cookie = sessions.open_by_configured(1).await.unwrap().unwrap();
        let (session, who) = sessions.find(cookie.reveal()).await.unwrap().unwrap();
        assert_eq!((who.user, who.scope), (admin, Scope::All));
        let spared = [sessions.open(admin, 1).await.unwrap(), sessions.open_by(id, 1).await.unwrap().unwrap()];
        let entries = [enter(Credential::Configured).await, enter(Credential::Session(session)).await];
        let spared_entry = enter(Credential::Token(id)).await;
        let pending = tickets.issue("quiet-fox", admin, Credential::Configured).await.unwrap();

        // The same one once more: a restart signs nobody out.
        with("the first").await.sessions().end_replaced().await.unwrap();
        assert!(sessions.find(cookie.reveal()).await.unwrap().is_some());
        assert!(tickets.entry(entries[0].reveal(), "quiet-fox").await.unwrap().is_some());

        with(next).await.sessions().end_replaced().await.unwrap();
        assert!(sessions.find(cookie.reveal()).await.unwrap().is_none());
        for entry in entries {
            assert!(tickets.entry(entry.reveal(), "quiet-fox").await.unwrap().is_none());
        }
        assert!(tickets.redeem(pending.reveal(), "quiet-fox").await.unwrap().is_none());
        for spared in spared {
            assert!(sessions.find(spared.reveal()).await.unwrap().is_some());
        }
        assert!(tickets.entry(spared_entry.reveal(), "quiet-fox").await.unwrap().is_some());
    }
}

async fn signing_out_everywhere_spares_tokens_and_others(world: &World) {
    let (tokens, tickets, sessions) = (world.store.tokens(), world.store.tickets(), world.store.sessions());
    let (admin, other) = (world.store.users().admin(), UserId::new());
    let (id, token) = tokens.create(admin, "ci", Scope::All, None).await.unwrap();
    let cookies = [sessions.open(admin, 1).await.unwrap(), sessions.open_by(id, 1).await.unwrap().unwrap()];
    let enter = async |user, shown| {
        let ticket = tickets.issue("quiet-fox", user, shown).await.unwrap();
        tickets.redeem(ticket.reveal(), "quiet-fox").await.unwrap().unwrap()
    };
    let entry = enter(admin, Credential::Token(id)).await;
    enter(other, Credential::Configured).await;
    sessions.close_all(admin).await.unwrap();
    for cookie in cookies {
        assert!(sessions.find(cookie.reveal()).await.unwrap().is_none());
    }
    assert!(tickets.entry(entry.reveal(), "quiet-fox").await.unwrap().is_none());
    assert!(tokens.find(token.reveal()).await.unwrap().is_some());
    assert_eq!(count(world, "entry").await, 1, "somebody else's");
}

async fn count(world: &World, table: &str) -> i64 {
    use sea_orm::{ConnectionTrait as _, Statement};
    let database = world.database().await;
    let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM {table}");
    let statement = Statement::from_string(database.get_database_backend(), sql);
    database.query_one_raw(statement).await.unwrap().unwrap().try_get::<i64>("", "n").unwrap()
}

async fn what_has_expired_is_forgotten(world: &World) {
    let store = &world.store;
    let admin = store.users().admin();
    store.sessions().open(admin, 0).await.unwrap();
    store.links().mint_for(admin, Duration::ZERO).await.unwrap();
    let kept = store.sessions().open(admin, 1).await.unwrap();
    store.prune().await.unwrap();
    assert!(store.sessions().find(kept.reveal()).await.unwrap().is_some());
    for (table, rows) in [("session", 1), ("link", 0)] {
        assert_eq!(count(world, table).await, rows, "{table}");
    }
}
