//! Reads as much of a Dockerfile as it takes to say which image a stage is based on, which user
//! it ends with, and how to append to it.
//!
//! The text is cut into instructions as the builder does it: lines continue, comments may stand
//! between them, and here-documents are no instructions whatever they contain.

use std::ops::Range;

use serde::{Deserialize, Serialize};

mod expand;
mod lines;

pub use expand::{Arguments, Platform};

/// A Dockerfile, as far as it was understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dockerfile {
    /// The value of the directive `# syntax=`, for example `docker/dockerfile:1`.
    pub syntax: Option<String>,
    /// What continues a line and escapes a character: a backslash unless `# escape=` says else.
    pub escape: char,
    /// The `ARG` instructions before the first stage.
    pub preamble: Vec<Instruction>,
    /// The stages in order.
    pub stages: Vec<Stage>,
}

/// One stage: from a `FROM` to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The image or earlier stage, as written.
    pub image: String,
    /// Its name, as written after `AS`.
    pub name: Option<String>,
    /// The byte range of the `FROM` instruction without its line end.
    pub from: Range<usize>,
    /// What matters of its instructions.
    pub instructions: Vec<Instruction>,
}

/// The instructions that decide about images and users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Instruction {
    /// A build argument and its default.
    Arg(String, Option<String>),
    /// An environment variable.
    Env(String, String),
    /// The user from here on.
    User(String),
}

/// A chain of stages longer than this was not written by a person.
const MAX_CHAIN: usize = 200;

impl Dockerfile {
    /// Reads a text; what is not understood is skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pieces = lines::split(text);
        let mut read = Self { syntax: pieces.syntax, escape: pieces.escape, preamble: Vec::new(), stages: Vec::new() };
        for line in pieces.lines {
            match line.keyword.as_str() {
                "FROM" => read.stages.extend(stage(&line)),
                "ARG" | "ENV" | "USER" => {
                    let into = match read.stages.last_mut() {
                        Some(stage) => &mut stage.instructions,
                        None => &mut read.preamble,
                    };
                    instructions_of(&line, into);
                }
                _ => {}
            }
        }
        read
    }

    /// The stage a build makes: by its name or number, or the last one.
    #[must_use]
    pub fn target(&self, target: Option<&str>) -> Option<usize> {
        match target {
            None => self.stages.len().checked_sub(1),
            Some(target) => self.named(target, self.stages.len()).or_else(|| {
                let number: usize = target.parse().ok()?;
                (number < self.stages.len()).then_some(number)
            }),
        }
    }

    /// The image that a stage is based on in the end; `None` without such a stage. `scratch` is
    /// an answer.
    #[must_use]
    pub fn base_image(&self, target: Option<&str>, arguments: &Arguments) -> Option<String> {
        let mut at = self.target(target)?;
        for _ in 0..MAX_CHAIN {
            let image = self.image_of(at, arguments);
            match self.named(&image, at) {
                Some(earlier) => at = earlier,
                None => return Some(image),
            }
        }
        None
    }

    /// The user that a stage ends with, where the Dockerfile says it; `None` means the base
    /// image's.
    #[must_use]
    pub fn user(&self, target: Option<&str>, arguments: &Arguments) -> Option<String> {
        let mut at = self.target(target)?;
        for _ in 0..MAX_CHAIN {
            let instructions = &self.stages.get(at)?.instructions;
            let last = instructions.iter().rposition(|i| matches!(i, Instruction::User(_)));
            if let Some((index, Instruction::User(user))) = last.and_then(|i| Some((i, instructions.get(i)?))) {
                return Some(expand::in_stage(self, arguments, user, at, index)).filter(|user| !user.is_empty());
            }
            at = self.named(&self.image_of(at, arguments), at)?;
        }
        None
    }

    /// The latest stage before `before` with this name. A `FROM` can only mean an earlier stage,
    /// so `FROM node AS node` means the image, and there are no circles.
    fn named(&self, name: &str, before: usize) -> Option<usize> {
        self.stages
            .iter()
            .take(before)
            .rposition(|stage| stage.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }

    fn image_of(&self, at: usize, arguments: &Arguments) -> String {
        let image = self.stages.get(at).map(|stage| stage.image.as_str());
        expand::in_preamble(self, arguments, image.unwrap_or_default())
    }
}

fn stage(line: &lines::Line) -> Option<Stage> {
    let mut words = lines::words(&line.rest).into_iter().filter(|word| !word.starts_with("--"));
    let image = words.next()?;
    let name = match (words.next(), words.next()) {
        (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => Some(name),
        _ => None,
    };
    Some(Stage { image, name, from: line.range.clone(), instructions: Vec::new() })
}

fn instructions_of(line: &lines::Line, into: &mut Vec<Instruction>) {
    let words = lines::words(&line.rest);
    match line.keyword.as_str() {
        "USER" => into.extend(words.into_iter().next().map(Instruction::User)),
        "ARG" => into.extend(words.into_iter().map(|word| match word.split_once('=') {
            Some((name, value)) => Instruction::Arg(name.to_owned(), Some(value.to_owned())),
            None => Instruction::Arg(word, None),
        })),
        // The old form has one name and everything after it as the value.
        _ if !words.first().is_some_and(|word| word.contains('=')) => {
            let (name, value) = line.rest.trim().split_once([' ', '\t']).unwrap_or_default();
            if !name.is_empty() {
                into.push(Instruction::Env(name.to_owned(), lines::unquote(value.trim())));
            }
        }
        _ => into.extend(words.into_iter().filter_map(|word| {
            let (name, value) = word.split_once('=')?;
            Some(Instruction::Env(name.to_owned(), value.to_owned()))
        })),
    }
}

#[cfg(test)]
mod tests;
