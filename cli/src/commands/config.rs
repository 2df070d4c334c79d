//! `steading config`.

use crate::args::ServerArgs;
use crate::error::CliError;
use crate::output::{self, say};
use crate::settings;

/// Shows every setting, its value and where it comes from.
pub fn run(args: &ServerArgs) -> Result<(), CliError> {
    let mut loaded = settings::load(args)?;
    settings::show_tools(&mut loaded);
    let rows: Vec<Vec<String>> =
        loaded.shown.into_iter().map(|(key, (value, origin))| vec![key, value, origin.to_string()]).collect();
    say!("{}", output::table(&["KEY", "VALUE", "FROM"], &rows))?;
    Ok(())
}
