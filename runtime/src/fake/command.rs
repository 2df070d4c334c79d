//! The few commands that a container in memory understands.

use steading_core::runtime::Exec;

use super::pod::Pod;

/// What a command prints and how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// On standard output.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: i64,
}

impl Answer {
    /// Prints this and succeeds.
    pub fn text(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    /// Says nothing and ends with this code.
    #[must_use]
    pub fn exit(exit: i64) -> Self {
        Self { exit, ..Self::default() }
    }
}

/// Whether a command copies its input to its output, and so needs streams. A terminal does: it shows the frames
/// that it is sent.
pub fn is_echo(exec: &Exec) -> bool {
    let words: Vec<&str> = exec.command.iter().map(String::as_str).collect();
    exec.stdin && matches!(words.as_slice(), ["cat"] | ["/opt/steading/bin/inside", "term", ..])
}

/// Runs a command: `true`, `false`, `echo`, `cat`, `printenv`, `pwd`, `stty size`, and `sh -c` of a list
/// of these with `exit`, `>&2` and `> file`. Anything else is not found, which is exit code 127.
pub fn run(pod: &mut Pod, exec: &Exec) -> Answer {
    let words: Vec<&str> = exec.command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c" | "-lc", script, ..] => list(pod, exec, script),
        words => simple(pod, exec, words),
    }
}

fn list(pod: &mut Pod, exec: &Exec, script: &str) -> Answer {
    let mut all = Answer::default();
    for part in script.split([';', '\n']).flat_map(|part| part.split("&&")) {
        let words: Vec<&str> = part.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).collect();
        let answer = match words.as_slice() {
            [] => continue,
            ["exit"] => return all,
            ["exit", code] => return Answer { exit: code.parse().unwrap_or(2), ..all },
            [words @ .., ">&2"] => {
                let answer = simple(pod, exec, words);
                Answer { stdout: String::new(), stderr: answer.stdout + &answer.stderr, exit: answer.exit }
            }
            [words @ .., ">", file] => {
                let answer = simple(pod, exec, words);
                pod.put(file, super::archive::Entry::file(answer.stdout.into_bytes()));
                Answer { stdout: String::new(), ..Answer { stderr: answer.stderr, ..Answer::exit(answer.exit) } }
            }
            words => simple(pod, exec, words),
        };
        all.stdout += &answer.stdout;
        all.stderr += &answer.stderr;
        all.exit = answer.exit;
    }
    all
}

fn simple(pod: &mut Pod, exec: &Exec, words: &[&str]) -> Answer {
    let env = |name: &str| exec.env.get(name).cloned().or_else(|| pod.env().get(name).cloned());
    match words {
        ["true" | "sleep" | "mkdir" | "chown" | "chmod", ..] => Answer::default(),
        ["false", ..] => Answer::exit(1),
        ["echo", rest @ ..] => {
            let rest: Vec<_> = rest
                .iter()
                .map(|word| word.strip_prefix('$').map_or_else(|| (*word).to_owned(), |n| env(n).unwrap_or_default()))
                .collect();
            Answer::text(rest.join(" ") + "\n")
        }
        ["printenv", name] => env(name).map_or_else(|| Answer::exit(1), |value| Answer::text(value + "\n")),
        ["pwd"] => {
            let own = pod.spec.as_ref().and_then(|spec| spec.main.folder.clone());
            Answer::text(exec.folder.clone().or(own).unwrap_or_else(|| "/".to_owned()) + "\n")
        }
        ["stty", "size"] => match pod.terminal {
            Some((columns, rows)) => Answer::text(format!("{rows} {columns}\n")),
            None => Answer::exit(1),
        },
        ["cat"] => Answer::default(),
        ["cat", file] => match pod.get(file).and_then(|entry| entry.content()) {
            Some(content) => Answer::text(String::from_utf8_lossy(content)),
            None => Answer { stderr: format!("cat: {file}: No such file or directory\n"), ..Answer::exit(1) },
        },
        [program, ..] => Answer { stderr: format!("{program}: not found\n"), ..Answer::exit(127) },
        [] => Answer::exit(127),
    }
}
