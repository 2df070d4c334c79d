//! Variables of Dockerfiles.

use std::{cell::Cell, sync::LazyLock};

use indexmap::IndexMap;
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use super::{Dockerfile, Instruction};

/// What a build knows besides its Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arguments {
    /// The build arguments given; they replace the defaults of declared ones.
    pub given: IndexMap<String, String>,
    /// The environment of the base image, as far as known.
    pub base_env: IndexMap<String, String>,
    /// The platform that is built for and on.
    pub platform: Platform,
}

/// An operating system and an architecture in the words of container images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// For example `linux`.
    pub os: String,
    /// For example `amd64`.
    pub arch: String,
    /// For example `v8`; mostly empty.
    pub variant: String,
}

impl Default for Platform {
    fn default() -> Self {
        Self { os: "linux".to_owned(), arch: "amd64".to_owned(), variant: String::new() }
    }
}

impl Platform {
    fn value(&self, name: &str) -> Option<String> {
        let field = name.strip_prefix("BUILD").or_else(|| name.strip_prefix("TARGET"))?;
        match field {
            "PLATFORM" => {
                let parts = [&self.os, &self.arch, &self.variant];
                let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
                Some(parts.join("/"))
            }
            "OS" => Some(self.os.clone()),
            "ARCH" => Some(self.arch.clone()),
            "VARIANT" => Some(self.variant.clone()),
            _ => None,
        }
    }
}

/// A Dockerfile can make a text grow without end (`ARG B=$A$A`), so the work is bounded.
const MAX_STEPS: usize = 2_000;
const MAX_LENGTH: usize = 4096;
const MAX_DEPTH: usize = 64;

/// Expands a text that stands before the first stage or in a `FROM`.
pub(super) fn in_preamble(file: &Dockerfile, arguments: &Arguments, text: &str) -> String {
    let expander = Expander { file, arguments, steps: Cell::new(MAX_STEPS) };
    // The image's environment is not known in a FROM.
    expander.expand(text, Place::Preamble(file.preamble.len()), false, 0)
}

/// Expands a text of the instruction `index` of a stage.
pub(super) fn in_stage(file: &Dockerfile, arguments: &Arguments, text: &str, stage: usize, index: usize) -> String {
    let expander = Expander { file, arguments, steps: Cell::new(MAX_STEPS) };
    expander.expand(text, Place::Stage(stage, index), true, 0)
}

#[derive(Clone, Copy)]
enum Place {
    Preamble(usize),
    Stage(usize, usize),
}

struct Expander<'a> {
    file: &'a Dockerfile,
    arguments: &'a Arguments,
    steps: Cell<usize>,
}

impl Expander<'_> {
    fn expand(&self, text: &str, place: Place, with_env: bool, depth: usize) -> String {
        if text.len() > MAX_LENGTH {
            return String::new();
        }
        if depth > MAX_DEPTH || !text.contains('$') {
            return text.to_owned();
        }
        let mut done = EXPRESSION
            .replace_all(text, |found: &Captures<'_>| self.expression(found, place, with_env, depth))
            .into_owned();
        if done.len() > MAX_LENGTH {
            done.clear();
        }
        done
    }

    fn expression(&self, found: &Captures<'_>, place: Place, with_env: bool, depth: usize) -> String {
        let Some(left) = self.steps.get().checked_sub(1) else { return String::new() };
        self.steps.set(left);
        let value = self.find(&found["variable"], place, with_env, depth).unwrap_or_default();
        let word = found.name("word").map_or("", |word| word.as_str());
        let value = match (found.name("option").map(|option| option.as_str()), value.is_empty()) {
            (Some("-"), true) | (Some("+"), false) => word.to_owned(),
            (Some("+"), true) => String::new(),
            _ => return value,
        };
        value.trim_matches(['"', '\'']).to_owned()
    }

    /// Looks upwards: in the stage, in the stages it is made from, then before the first stage,
    /// where alone an argument of another place counts.
    fn find(&self, name: &str, mut place: Place, with_env: bool, depth: usize) -> Option<String> {
        let mut own_stage = true;
        // Stages that are made from each other in a circle end with the chain.
        for _ in 0..super::MAX_CHAIN {
            let (instructions, before) = match place {
                Place::Preamble(before) => (&self.file.preamble, before),
                Place::Stage(stage, before) => (&self.file.stages.get(stage)?.instructions, before),
            };
            let with_args = own_stage || matches!(place, Place::Preamble(_));
            let found = instructions.iter().enumerate().take(before).rev().find_map(|(index, instruction)| {
                let value = match instruction {
                    Instruction::Env(key, value) if key == name => value,
                    Instruction::Arg(key, default) if key == name && with_args => {
                        self.arguments.given.get(key).or(default.as_ref())?
                    }
                    _ => return None,
                };
                Some((index, value))
            });
            if let Some((index, value)) = found {
                let place = match place {
                    Place::Preamble(_) => Place::Preamble(index),
                    Place::Stage(stage, _) => Place::Stage(stage, index),
                };
                return Some(self.expand(value, place, with_env, depth + 1));
            }
            let Place::Stage(stage, _) = place else {
                let env = with_env.then(|| self.arguments.base_env.get(name).cloned()).flatten();
                return env.or_else(|| self.arguments.platform.value(name));
            };
            own_stage = false;
            let left = self.steps.get().checked_sub(1)?;
            self.steps.set(left);
            let image = &self.file.stages.get(stage)?.image;
            let image = self.expand(image, Place::Preamble(self.file.preamble.len()), false, depth + 1);
            place = match self.file.named(&image, stage) {
                Some(earlier) => Place::Stage(earlier, self.file.stages.get(earlier)?.instructions.len()),
                None => Place::Preamble(self.file.preamble.len()),
            };
        }
        None
    }
}

#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$\{?(?P<variable>[a-zA-Z0-9_]+)(?::(?P<option>[-+])(?P<word>[^}]+))?\}?")
        .expect("the pattern is valid")
});
