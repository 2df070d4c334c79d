//! Texts for shells.

use crate::feature::Feature;

/// The script that installs one Feature: it reads both files of variables, then runs the Feature's own.
pub(super) fn install(feature: &Feature) -> String {
    let said = &feature.manifest;
    let name = said.name().filter(|name| !name.is_empty()).unwrap_or_else(|| feature.id.clone());
    let version = said.version().map(|version| format!(" {version}")).unwrap_or_default();
    let help = said.0.string("documentationURL").filter(|url| !url.is_empty());
    let help = help.map(|url| format!(" Its documentation is at {url}.")).unwrap_or_default();
    let mut notes = vec![format!("Installing the Feature {name}{version} ({})", feature.id)];
    if said.is_deprecated() {
        notes.push("This Feature is deprecated: nobody looks after it any more.".to_owned());
    }
    if let Some(current) = said.0.string("currentId")
        && !said.legacy_ids().is_empty()
        && said.id().as_ref() != Some(&current)
    {
        notes.push(format!("This Feature is called \"{current}\" now: change the reference in devcontainer.json."));
    }
    let notes: Vec<String> = notes.iter().map(|note| format!("echo {}", quote(note))).collect();
    let failed = quote(&format!("The Feature {name} ({}) could not be installed.{help}", feature.id));
    format!(
        "#!/bin/sh
set -e

finish () {{
	[ $? -eq 0 ] || echo {failed} >&2
}}
trap finish EXIT

{}

set -a
. ../devcontainer-features.builtin.env
. ./devcontainer-features.env
set +a

chmod +x ./install.sh
./install.sh
",
        notes.join("\n")
    )
}

/// A command that prints the entry of a user, by name or number, in the list of users; nothing if there is
/// none. Small images have no `getent`.
pub(super) fn passwd_entry(user: &str) -> String {
    let pattern = regex::escape(user);
    let pattern = quote(&format!("^{pattern}:|^[^:]*:[^:]*:{pattern}:"));
    let user = quote(user);
    // The space keeps the shell from taking two brackets for arithmetic.
    format!(" (command -v getent >/dev/null 2>&1 && getent passwd {user} || grep -E {pattern} /etc/passwd || true)")
}

/// A text as one word of a shell.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
