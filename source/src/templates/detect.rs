//! `templates/detect.toml`: rules from the files of a repository to a template.

use std::collections::BTreeMap;

use devcontainer::Tree;
use serde::Deserialize;

/// How many files are looked at before the shares of endings are taken as known.
const MAX_FILES: usize = 20_000;
/// How many folders deep they are looked for.
const MAX_DEPTH: usize = 5;

/// A template, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The template's id.
    pub template: String,
    /// What was found, as the end of a sentence: `Cargo.toml is in the root`.
    pub because: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    fallback: String,
    #[serde(default)]
    skip: Vec<String>,
    rule: Vec<FileRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    template: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    anywhere: Vec<String>,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    share: f64,
}

/// The rules, ready to be applied.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    file: File,
}

/// What was counted.
#[derive(Debug, Default)]
struct Census {
    root: Vec<String>,
    below: Vec<(String, String)>,
    endings: BTreeMap<String, usize>,
    files: usize,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| format!("detect.toml: {error}"))?;
        Ok(Self { file })
    }

    #[cfg(test)]
    pub(super) fn templates(&self) -> impl Iterator<Item = &str> {
        self.file.rule.iter().map(|rule| rule.template.as_str()).chain([self.file.fallback.as_str()])
    }

    pub(super) fn detect(&self, tree: &dyn Tree) -> Detected {
        let census = self.count(tree);
        let hit = self.file.rule.iter().find_map(|rule| Some((rule, Self::because(rule, &census)?)));
        match hit {
            Some((rule, because)) => Detected { template: rule.template.clone(), because },
            None => Detected {
                template: self.file.fallback.clone(),
                because: "nothing in the repository says which language it is".to_owned(),
            },
        }
    }

    fn because(rule: &FileRule, census: &Census) -> Option<String> {
        for glob in &rule.files {
            if let Some(name) = census.root.iter().find(|name| fits(glob, name)) {
                return Some(format!("{name} is in the root"));
            }
        }
        for glob in &rule.anywhere {
            if let Some((folder, name)) = census.below.iter().find(|(_, name)| fits(glob, name)) {
                return Some(format!("{name} is in {folder}"));
            }
        }
        if rule.extensions.is_empty() {
            return None;
        }
        let count: usize = rule.extensions.iter().filter_map(|ending| census.endings.get(ending)).sum();
        let all: usize = census.endings.values().sum();
        // Counts of files stay far below what a double holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "at most 20,000")]
        let share = if all == 0 { 0.0 } else { count as f64 / all as f64 };
        (count > 0 && share >= rule.share)
            .then(|| format!("{count} of {all} source files end in .{}", rule.extensions.join(", .")))
    }

    fn count(&self, tree: &dyn Tree) -> Census {
        let known: Vec<&String> = self.file.rule.iter().flat_map(|rule| &rule.extensions).collect();
        let mut census = Census::default();
        let mut folders = vec![(String::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in tree.entries(&folder) {
                if entry.is_dir {
                    let is_ours = !entry.name.starts_with('.') && !self.file.skip.contains(&entry.name);
                    if is_ours && depth < MAX_DEPTH {
                        let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
                        folders.push((path, depth + 1));
                    }
                    continue;
                }
                census.files += 1;
                if census.files > MAX_FILES {
                    return census;
                }
                if let Some((_, ending)) = entry.name.rsplit_once('.')
                    && known.iter().any(|known| *known == ending)
                {
                    *census.endings.entry(ending.to_owned()).or_default() += 1;
                }
                match depth {
                    0 => census.root.push(entry.name),
                    1 => census.below.push((folder.clone(), entry.name)),
                    _ => {}
                }
            }
        }
        census
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    // Whatever the star takes, the rest must fit what is left.
    name.char_indices()
        .map(|(at, _)| at)
        .chain([name.len()])
        .any(|at| name.get(at..).is_some_and(|left| fits(rest, left)))
}

#[cfg(test)]
mod tests {
    use crate::folder::Listed;
    use crate::templates::Templates;

    fn detected(paths: &[&str]) -> (String, String) {
        let found = Templates::embedded().unwrap().detect(&Listed::of(paths));
        (found.template, found.because)
    }

    #[test]
    fn marker_files_decide_before_endings() {
        for (paths, template) in [
            (&["Cargo.toml", "package.json"][..], "rust"),
            (&["go.mod"], "go"),
            (&["App.sln", "package.json"], "dotnet"),
            (&["pom.xml"], "java"),
            (&["composer.json", "package.json"], "php"),
            (&["Gemfile", "package.json"], "ruby"),
            (&["requirements-dev.txt", "package.json"], "python"),
            (&["package.json", "a.py", "b.py"], "node"),
            (&["CMakeLists.txt", "a.py"], "cpp"),
            (&["model.Rproj"], "r"),
            (&["server/Cargo.toml", "web/package.json"], "rust"),
            (&["notebooks/a.ipynb", "notebooks/b.ipynb", "x.c"], "python"),
            (&["src/deep/a.cpp", "src/deep/a.h"], "cpp"),
            (&["node_modules/x/a.js", "vendor/b.go", "readme.md"], "universal"),
            (&["a.py", "b.rb", "c.go"], "universal"),
            (&[], "universal"),
        ] {
            assert_eq!(detected(paths).0, template, "{paths:?}");
        }
    }

    #[test]
    fn the_reason_names_what_was_found() {
        assert_eq!(detected(&["Cargo.toml"]).1, "Cargo.toml is in the root");
        assert_eq!(detected(&["api/go.mod"]).1, "go.mod is in api");
        assert_eq!(detected(&["a.py", "b.py", "c.js"]).1, "2 of 3 source files end in .py, .ipynb, .pyi");
    }
}
