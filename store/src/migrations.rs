//! The list of migrations. Each keeps its own copy of names: the rows may move on, a migration never does.

use sea_orm_migration::prelude::*;

mod m0001_first;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_first::Migration)]
    }
}
