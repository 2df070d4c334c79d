//! `.dockerignore`, read as Docker reads it: the last pattern that matches a path or a folder above it decides.
//!
//! <https://docs.docker.com/build/concepts/context/#dockerignore-files>

use std::fmt::Write as _;

use regex::Regex;

/// The most rules that are read; each is tried on every path.
pub(super) const MAX_RULES: usize = 1000;
/// The longest file that is read.
pub(super) const MAX_KIB: usize = 64;

/// The rules of one file.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Regex,
    includes: bool,
}

impl Ignore {
    /// Reads the rules. What is no pattern is left out; `None` if it is more than anybody would write.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = || text.lines().filter(|line| !line.starts_with('#')).map(str::trim).filter(|l| !l.is_empty());
        if text.len() > MAX_KIB << 10 || lines().nth(MAX_RULES).is_some() {
            return None;
        }
        Some(Self { rules: lines().filter_map(rule).collect() })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The last rule that matches a path or, as `above` says, the folder that it is in.
    pub fn last(&self, path: &str, above: Option<usize>) -> Option<usize> {
        let next = above.map_or(0, |at| at + 1);
        let later = self.rules.get(next..).unwrap_or_default();
        later.iter().rposition(|rule| rule.pattern.is_match(path)).map(|at| next + at).or(above)
    }

    /// Whether what matches this rule last is left out.
    pub fn leaves_out(&self, last: Option<usize>) -> bool {
        last.and_then(|at| self.rules.get(at)).is_some_and(|rule| !rule.includes)
    }

    /// Whether a path is left out.
    pub fn excludes(&self, path: &str) -> bool {
        let above = path.match_indices('/').fold(None, |last, (at, _)| self.last(&path[..at], last));
        self.leaves_out(self.last(path, above))
    }

    /// Whether nothing below an excluded folder can come back in.
    pub fn is_final(&self) -> bool {
        !self.rules.iter().any(|rule| rule.includes)
    }
}

fn rule(line: &str) -> Option<Rule> {
    let (includes, pattern) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return None;
    }
    Some(Rule { pattern: Regex::new(&translate(&parts.join("/"))).ok()?, includes })
}

/// `*` and `?` stay within a name, `**` crosses folders, `[a-z]` is a class, `\` takes the next as it is.
fn translate(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '*' if characters.peek() == Some(&'*') => {
                characters.next();
                let is_folder = characters.next_if_eq(&'/').is_some();
                out.push_str(if characters.peek().is_none() && !is_folder { ".*" } else { "(.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                for c in characters.by_ref() {
                    match c {
                        ']' => break,
                        '[' | '&' | '~' | '\\' => {
                            let _ = write!(out, "\\{c}");
                        }
                        c => out.push(c),
                    }
                }
                out.push(']');
            }
            '\\' => {
                if let Some(next) = characters.next() {
                    out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                }
            }
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out<'a>(text: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = Ignore::parse(text).unwrap();
        paths.iter().copied().filter(|path| ignore.excludes(path)).collect()
    }

    #[test]
    fn patterns_match_as_in_docker() {
        let paths = ["a.md", "docs/a.md", "docs/deep/b.md", "src/x.rs", "temp1", "tempa", "node_modules/x/y"];
        assert_eq!(left_out("*.md", &paths), ["a.md"]);
        assert_eq!(left_out("**/*.md", &paths), ["a.md", "docs/a.md", "docs/deep/b.md"]);
        assert_eq!(left_out("docs", &paths), ["docs/a.md", "docs/deep/b.md"]);
        assert_eq!(left_out("/docs/*/", &paths), ["docs/a.md", "docs/deep/b.md"]);
        assert_eq!(left_out("temp?", &paths), ["temp1", "tempa"]);
        assert_eq!(left_out("temp[0-9]", &paths), ["temp1"]);
        assert_eq!(left_out("**", &paths).len(), paths.len());
        assert_eq!(left_out("**/node_modules", &paths), ["node_modules/x/y"]);
        assert_eq!(left_out("# a.md\n\n./src/\n", &paths), ["src/x.rs"]);
        assert_eq!(left_out("a\\.md", &paths), ["a.md"]);
    }

    #[test]
    fn the_last_match_decides() {
        let paths = ["a.md", "readme.md", "docs/readme.md"];
        assert_eq!(left_out("**/*.md\n!readme.md", &paths), ["a.md", "docs/readme.md"]);
        assert_eq!(left_out("!readme.md\n*.md", &paths), ["a.md", "readme.md"]);
        assert_eq!(left_out("docs\n!docs/readme.md", &paths), Vec::<&str>::new());
    }

    #[test]
    fn what_nobody_writes_is_not_read() {
        assert!(Ignore::parse(&"x\n".repeat(MAX_RULES)).is_some());
        assert!(Ignore::parse(&"x\n".repeat(MAX_RULES + 1)).is_none());
        assert!(Ignore::parse(&"# about\n\n".repeat(MAX_RULES + 1)).is_some());
        assert!(Ignore::parse(&"x".repeat((MAX_KIB << 10) + 1)).is_none());
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(left_out("[\n[z-a]\n!\n..\n/", &["a", "["]), Vec::<&str>::new());
    }
}
