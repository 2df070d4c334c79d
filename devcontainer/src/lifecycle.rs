//! Which commands run when, and in what order.

use crate::{command::LifecycleCommand, layer::Origin, merged::Merged, stage::Stage};

/// The commands still to run: those of all stages after `from` (`None`: nothing has run yet) up to
/// and including `upto`. Stages run one after another, and so do the commands of one stage; those
/// inside one [`LifecycleCommand::Parallel`] run at the same time.
#[must_use]
pub fn schedule(merged: &Merged, from: Option<Stage>, upto: Stage) -> Vec<(Stage, Origin, LifecycleCommand)> {
    Stage::ALL
        .into_iter()
        .filter(|stage| from.is_none_or(|done| *stage > done) && *stage <= upto)
        .flat_map(|stage| {
            merged.commands_of(stage).iter().map(move |(origin, command)| (stage, origin.clone(), command.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged() -> Merged {
        let command = |text: &str| LifecycleCommand::Shell(text.to_owned());
        let mut merged = Merged::default();
        merged.commands.insert(
            Stage::OnCreate,
            vec![
                (Origin::Feature("git".into()), command("feature")),
                (Origin::File("devcontainer.json".into()), command("file")),
            ],
        );
        merged.commands.insert(Stage::PostStart, vec![(Origin::Image(0), command("start"))]);
        merged
    }

    fn lines(from: Option<Stage>, upto: Stage) -> Vec<String> {
        schedule(&merged(), from, upto).into_iter().map(|(stage, origin, _)| format!("{stage} {origin}")).collect()
    }

    #[test]
    fn features_go_before_the_file_and_stages_follow_each_other() {
        assert_eq!(
            lines(None, Stage::PostAttach),
            [
                "onCreateCommand Feature git",
                "onCreateCommand devcontainer.json",
                "postStartCommand image metadata entry 1"
            ]
        );
    }

    #[test]
    fn only_what_lies_between_is_scheduled() {
        assert!(lines(None, Stage::OnCreate).len() == 2);
        assert!(lines(Some(Stage::OnCreate), Stage::PostCreate).is_empty());
        assert_eq!(lines(Some(Stage::PostCreate), Stage::PostStart).len(), 1);
        assert!(lines(Some(Stage::PostStart), Stage::PostStart).is_empty());
    }
}
