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
        let last = *self.chain(target, arguments).last()?;
        Some(self.image_of(last, arguments))
    }

    /// The user that a stage ends with, where the Dockerfile says it; `None` means the base
    /// image's.
    #[must_use]
    pub fn user(&self, target: Option<&str>, arguments: &Arguments) -> Option<String> {
        self.chain(target, arguments)
            .into_iter()
            .find_map(|at| {
                let instructions = &self.stages.get(at)?.instructions;
                let last = instructions.iter().rposition(|i| matches!(i, Instruction::User(_)))?;
                let Instruction::User(user) = instructions.get(last)? else { return None };
                Some(expand::in_stage(self, arguments, user, at, last))
            })
            .filter(|user| !user.is_empty())
    }

    /// A stage and the stages it is made from, down to the one that is made from an image.
    fn chain(&self, target: Option<&str>, arguments: &Arguments) -> Vec<usize> {
        let mut chain: Vec<usize> = self.target(target).into_iter().collect();
        while let Some(last) = chain.last()
            && chain.len() < MAX_CHAIN
        {
            let parent = self.named(&self.image_of(*last, arguments), *last);
            match parent.filter(|parent| !chain.contains(parent)) {
                Some(parent) => chain.push(parent),
                None => break,
            }
        }
        chain
    }

    /// The stage that `FROM name` means in the stage `at`: the latest one before it. The reference
    /// also takes a later one, so that comes second; a stage never means itself, so that
    /// `FROM node AS node` is the image.
    fn named(&self, name: &str, at: usize) -> Option<usize> {
        let is = |stage: &Stage| stage.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(name));
        let before = self.stages.iter().take(at).rposition(is);
        before.or_else(|| Some(at + 1 + self.stages.iter().skip(at + 1).position(is)?))
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
