//! `.gitmodules`: which submodules there are, and where they come from.

use steading_core::Source;
use steading_core::source::{GitSource, GitUrl};

/// A submodule as the file names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Module {
    /// Its name, which is also that of its folder under `.git/modules`.
    pub name: String,
    /// Its folder in the working copy.
    pub path: String,
    /// Where it comes from, as written.
    pub url: String,
}

/// Reads the file. Git's `include` is not followed, and odd names are left out: both have been used
/// to reach out of a repository.
pub(super) fn parse(text: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            let name = line.strip_prefix("[submodule").and_then(|rest| rest.trim().strip_suffix(']')).map(value);
            inside = name.is_some();
            if let Some(name) = name {
                modules.push(Module { name, ..Module::default() });
            }
            continue;
        }
        let Some((key, text)) = line.split_once('=').filter(|_| inside) else { continue };
        if let Some(module) = modules.last_mut() {
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => module.path = value(text),
                "url" => module.url = value(text),
                _ => {}
            }
        }
    }
    modules.retain(|module| is_safe(&module.name) && is_safe(&module.path) && !module.url.is_empty());
    modules
}

/// A value without quotes and comment.
fn value(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut characters = text.trim().chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => out.extend(characters.next()),
            '#' | ';' if !quoted => break,
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn is_safe(path: &str) -> bool {
    let odd = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
    !path.starts_with('-') && !path.contains(char::is_control) && !path.split('/').any(odd)
}

/// Where a submodule comes from, seen from its parent. An SSH address of a host for which there is no
/// key is tried over HTTPS: that is where public repositories can be read.
pub(super) fn source(url: &str, parent: &GitSource, has_key: impl Fn(&GitUrl) -> bool) -> Option<GitSource> {
    let text = if url.starts_with("./") || url.starts_with("../") {
        relative(url, &parent.url)?
    } else {
        // A space is no part of an address; `#` would be read as a revision.
        url.replace('#', "%23")
    };
    let Ok(Source::Git(mut source)) = Source::parse(&text, parent.url.is_local()) else { return None };
    if source.url.reveal().scheme() == "ssh" && !has_key(&source.url) {
        source.url = GitUrl::new(source.url.over_http()?);
    }
    Some(source)
}

/// `../x` counts from the parent's address, as a folder.
fn relative(url: &str, parent: &GitUrl) -> Option<String> {
    let mut base = parent.reveal().clone();
    let mut rest = url;
    {
        let mut segments = base.path_segments_mut().ok()?;
        segments.pop_if_empty();
        loop {
            if let Some(after) = rest.strip_prefix("../") {
                segments.pop();
                rest = after;
            } else if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else {
                break;
            }
        }
        if rest.split('/').any(|part| part == "..") {
            return None;
        }
        segments.extend(rest.split('/'));
    }
    Some(base.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_without_its_traps() {
        let text = "[core]\n path = x\n[submodule \"lib/a\"]\n\tpath = lib/a ; why\n\turl = \"https://h.example/a.git\"\n\
                    [submodule \"../evil\"]\n path = e\n url = u\n[include]\n path = /etc/passwd\n\
                    [submodule \"b\"]\n path = .git/hooks\n url = u\n[submodule \"c\"]\n path = c\n";
        let module = Module { name: "lib/a".into(), path: "lib/a".into(), url: "https://h.example/a.git".into() };
        assert_eq!(parse(text), [module]);
    }

    #[test]
    fn addresses_count_from_the_parent() {
        let Ok(Source::Git(parent)) = Source::parse("https://me:pw@h.example/group/repo.git", false) else { panic!() };
        let to = |url: &str| source(url, &parent, |_| false).map(|s| s.url.reveal().to_string());
        assert_eq!(to("../lib.git").as_deref(), Some("https://me:pw@h.example/group/lib.git"));
        assert_eq!(to("../../other/lib").as_deref(), Some("https://me:pw@h.example/other/lib"));
        assert_eq!(to("git@o.example:a/b.git").as_deref(), Some("https://o.example/a/b.git"));
        assert_eq!(to("/srv/x"), None);
        assert_eq!(to("file:///srv/x"), None);
        assert_eq!(to("ext::sh"), None);
        let keyed = source("git@o.example:a/b.git", &parent, |_| true).unwrap();
        assert_eq!(keyed.url.reveal().as_str(), "ssh://git@o.example/a/b.git");
    }
}
