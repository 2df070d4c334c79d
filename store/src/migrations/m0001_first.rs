//! Every table of the first version.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, integer_null, string, string_null, text, text_null, uuid,
    uuid_null,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_first"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in
            [workspace(), event(), bell(), setting(), prebuild(), port(), inquiry(), idempotency(), tombstone()]
        {
            manager.create_table(table).await?;
        }
        for table in [person(), session(), token(), link(), ticket(), entry()] {
            manager.create_table(table).await?;
        }
        for (table, columns) in INDEXES {
            let mut index = Index::create();
            index.name(format!("{table}_{}", columns.join("_"))).table(*table);
            for column in *columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the first migration has no way back".to_owned()))
    }
}

const INDEXES: &[(&str, &[&str])] = &[
    // A person's list, newest first; everybody's list, for administrators.
    ("workspace", &["owner_kind", "owner_id", "created_at", "id"]),
    ("workspace", &["created_at", "id"]),
    // The sweeper.
    ("workspace", &["settled", "lease_until"]),
    ("workspace", &["look_again", "lease_until"]),
    ("workspace", &["desired", "looked_at"]),
    ("event", &["workspace_id", "seq"]),
    ("bell", &["at"]),
    ("prebuild", &["repository", "commit_id"]),
    ("session", &["user_id"]),
    ("session", &["token_id"]),
    ("session", &["expires_at"]),
    ("token", &["user_id"]),
    ("entry", &["session_id"]),
    ("entry", &["token_id"]),
    ("entry", &["user_id"]),
    ("entry", &["slug"]),
    ("entry", &["expires_at"]),
    ("ticket", &["session_id"]),
    ("ticket", &["token_id"]),
    ("ticket", &["user_id"]),
    ("ticket", &["slug"]),
    ("ticket", &["expires_at"]),
    ("link", &["expires_at"]),
    ("idempotency", &["created_at"]),
    ("inquiry", &["created_at"]),
    ("tombstone", &["at"]),
];

fn table(name: &'static str, columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    table.take()
}

fn key(mut column: ColumnDef) -> ColumnDef {
    column.primary_key().take()
}

fn unique(mut column: ColumnDef) -> ColumnDef {
    column.unique_key().take()
}

/// A number that counts up and is never given again, not even after the last row is gone.
fn counter(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key().take()
}

fn workspace() -> TableCreateStatement {
    table(
        "workspace",
        vec![
            key(uuid("id")),
            unique(string("slug")),
            string("owner_kind"),
            uuid("owner_id"),
            string("runtime"),
            text("source"),
            string_null("resolution"),
            string("phase"),
            string("desired"),
            big_integer("generation"),
            big_integer("rebuilds"),
            text_null("failure"),
            boolean("settled"),
            big_integer_null("retry_at"),
            integer_null("ide_port"),
            text_null("folder"),
            string_null("lease_holder"),
            big_integer("lease_epoch"),
            big_integer("lease_until"),
            boolean("look_again"),
            big_integer("looked_at"),
            big_integer_null("entered_at"),
            big_integer("created_at"),
            big_integer("updated_at"),
            text("document"),
        ],
    )
}

fn event() -> TableCreateStatement {
    table("event", vec![counter("seq"), uuid("workspace_id"), big_integer("at"), text("kind")])
}

fn bell() -> TableCreateStatement {
    table(
        "bell",
        vec![
            counter("seq"),
            string("origin"),
            uuid_null("workspace_id"),
            big_integer_null("event_seq"),
            big_integer("at"),
        ],
    )
}

fn setting() -> TableCreateStatement {
    table("setting", vec![key(string("name")), text("value")])
}

fn prebuild() -> TableCreateStatement {
    table(
        "prebuild",
        vec![
            key(uuid("id")),
            text("repository"),
            string_null("commit_id"),
            string_null("config_hash"),
            text("image"),
            big_integer("created_at"),
        ],
    )
}

fn port() -> TableCreateStatement {
    let mut port = table("port", vec![uuid("workspace_id"), integer("port"), string("visibility")]);
    port.primary_key(Index::create().col("workspace_id").col("port")).take()
}

fn inquiry() -> TableCreateStatement {
    table(
        "inquiry",
        vec![key(uuid("id")), text("question"), text_null("progress"), text_null("answer"), big_integer("created_at")],
    )
}

fn idempotency() -> TableCreateStatement {
    let mut idempotency = table(
        "idempotency",
        vec![
            uuid("user_id"),
            string("key"),
            string("request_hash"),
            uuid("claim"),
            big_integer("claimed_until"),
            integer_null("status"),
            text_null("body"),
            big_integer("created_at"),
        ],
    );
    idempotency.primary_key(Index::create().col("user_id").col("key")).take()
}

fn tombstone() -> TableCreateStatement {
    table("tombstone", vec![key(uuid("id")), big_integer("at")])
}

fn person() -> TableCreateStatement {
    table("person", vec![key(uuid("id")), string("name"), string("role"), big_integer("created_at")])
}

fn session() -> TableCreateStatement {
    table(
        "session",
        vec![
            key(uuid("id")),
            uuid("user_id"),
            uuid_null("token_id"),
            string_null("configured"),
            unique(string("hash")),
            big_integer("created_at"),
            big_integer("expires_at"),
        ],
    )
}

fn token() -> TableCreateStatement {
    table(
        "token",
        vec![
            key(uuid("id")),
            uuid("user_id"),
            string("name"),
            unique(string("hash")),
            string("scope"),
            big_integer("created_at"),
            big_integer_null("expires_at"),
            big_integer_null("used_at"),
        ],
    )
}

fn link() -> TableCreateStatement {
    table("link", vec![key(string("hash")), uuid("user_id"), big_integer("expires_at")])
}

fn ticket() -> TableCreateStatement {
    table("ticket", one_host())
}

fn entry() -> TableCreateStatement {
    table("entry", one_host())
}

fn one_host() -> Vec<ColumnDef> {
    vec![
        key(string("hash")),
        uuid("user_id"),
        uuid_null("session_id"),
        uuid_null("token_id"),
        string_null("configured"),
        string("label"),
        string("slug"),
        big_integer("expires_at"),
    ]
}
