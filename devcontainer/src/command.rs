//! Lifecycle commands: a string for the shell, a list to execute, or an object of commands that
//! run at the same time.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The command of one lifecycle stage. Serialises in the specification's own JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LifecycleCommand {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, executed without a shell.
    Exec(Vec<String>),
    /// Named commands that run in parallel; the stage fails if one of them fails.
    Parallel(IndexMap<String, SingleCommand>),
}

/// A command that cannot contain others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SingleCommand {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, executed without a shell.
    Exec(Vec<String>),
}

impl SingleCommand {
    /// The argument vector to execute: `/bin/sh -c LINE`, or the list itself.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Exec(words) => words.clone(),
        }
    }

    /// Reads a command; `None` for a value that names nothing to run.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(line) if !line.is_empty() => Some(Self::Shell(line.clone())),
            Value::Array(words) if !words.is_empty() => {
                let words: Option<Vec<String>> = words.iter().map(|w| w.as_str().map(str::to_owned)).collect();
                words.map(Self::Exec)
            }
            _ => None,
        }
    }
}

impl LifecycleCommand {
    /// Reads a command; `None` for a value that names nothing to run, such as `""`, `null` or a
    /// list with something else than strings in it. Entries of an object that name nothing to run
    /// are left out.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        if let Value::Object(entries) = value {
            let commands: IndexMap<String, SingleCommand> = entries
                .iter()
                .filter_map(|(name, entry)| Some((name.clone(), SingleCommand::from_json(entry)?)))
                .collect();
            return (!commands.is_empty()).then_some(Self::Parallel(commands));
        }
        SingleCommand::from_json(value).map(Self::from)
    }

    /// Every single command with its name; the name is empty unless the commands are parallel.
    #[must_use]
    pub fn singles(&self) -> Vec<(String, SingleCommand)> {
        match self {
            Self::Shell(line) => vec![(String::new(), SingleCommand::Shell(line.clone()))],
            Self::Exec(words) => vec![(String::new(), SingleCommand::Exec(words.clone()))],
            Self::Parallel(commands) => {
                commands.iter().map(|(name, command)| (name.clone(), command.clone())).collect()
            }
        }
    }
}

impl From<SingleCommand> for LifecycleCommand {
    fn from(command: SingleCommand) -> Self {
        match command {
            SingleCommand::Shell(line) => Self::Shell(line),
            SingleCommand::Exec(words) => Self::Exec(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_three_forms_keep_their_json() {
        for written in
            [json!("npm ci"), json!(["npm", "ci"]), json!({"server": "npm start", "db": ["mysql", "-u", "root"]})]
        {
            let command = LifecycleCommand::from_json(&written);
            assert_eq!(serde_json::to_value(&command).ok(), Some(written.clone()));
            assert_eq!(serde_json::from_value::<LifecycleCommand>(written).ok(), command);
        }
    }

    #[test]
    fn values_that_name_nothing_are_no_command() {
        for written in [json!(""), json!(null), json!([]), json!({}), json!({"a": null}), json!(3), json!([1])] {
            assert_eq!(LifecycleCommand::from_json(&written), None, "{written}");
        }
    }

    #[test]
    fn a_line_is_for_the_shell_and_a_list_is_not() {
        let argv = |value| LifecycleCommand::from_json(&value).map(|c| c.singles()[0].1.argv());
        assert_eq!(argv(json!("a && b")), Some(vec!["/bin/sh".into(), "-c".into(), "a && b".into()]));
        assert_eq!(argv(json!(["a", "$b"])), Some(vec!["a".into(), "$b".into()]));
    }
}
