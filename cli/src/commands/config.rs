//! `steading config`.

use crate::args::ServerArgs;
use crate::error::CliError;
use crate::output;
use crate::settings;

/// Shows every setting, its value and where it comes from.
pub fn run(args: &ServerArgs) -> Result<(), CliError> {
    let loaded = settings::load(args)?;
    let rows: Vec<Vec<String>> =
        loaded.shown.into_iter().map(|(key, (value, origin))| vec![key, value, origin.to_string()]).collect();
    println!("{}", output::table(&["KEY", "VALUE", "FROM"], &rows));
    Ok(())
}
