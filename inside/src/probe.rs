//! userEnvProbe: what the user's shell makes of the environment, asked as the reference asks it.
//!
//! The answer is kept for this start of the container, for each user and mode.

use crate::account::Account;
use crate::args::{Args, Opt};
use crate::failure::{Failure, Result, say};
use crate::launch::{Env, for_account, inherited};
use crate::place::{Place, fingerprint, write_whole};
use crate::process;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// How long a shell may take; then it is ignored.
pub const LIMIT: Duration = Duration::from_secs(10);

/// A shell that prints without end is cut here.
const OUTPUT: u64 = 4 << 20;

/// Which start-up files count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None: the shell is not asked.
    None,
    /// `-lc`
    Login,
    /// `-ic`
    Interactive,
    /// `-lic`
    LoginInteractive,
}

impl Mode {
    /// From the value of userEnvProbe.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "loginShell" => Ok(Self::Login),
            "interactiveShell" => Ok(Self::Interactive),
            "loginInteractiveShell" => Ok(Self::LoginInteractive),
            _ => Err(Failure::usage(format!(
                "no probe mode {text:?}: none, loginShell, interactiveShell or loginInteractiveShell"
            ))),
        }
    }

    /// What the shell is given before the text; PowerShell knows other words.
    fn words(self, shell: &str) -> &'static [&'static str] {
        let name = shell.rsplit('/').next().unwrap_or(shell);
        match (matches!(name, "pwsh" | "pwsh-preview"), self) {
            (true, Self::Login | Self::LoginInteractive) => &["-Login", "-Command"],
            (true, _) => &["-Command"],
            (false, Self::None) => &["-c"],
            (false, Self::Login) => &["-lc"],
            (false, Self::Interactive) => &["-ic"],
            (false, Self::LoginInteractive) => &["-lic"],
        }
    }
}

const OPTIONS: &[Opt] = &[Opt::Value("user"), Opt::Value("mode"), Opt::Value("timeout")];

/// `inside probe`: prints the environment as a JSON object.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[OPTIONS])?;
    args.no_words()?;
    let user = args.needed("user")?;
    let account = Account::find(place, &user)?;
    let mode = Mode::parse(&args.needed("mode")?)?;
    let env = environment(place, &user, &account, mode, args.seconds("timeout")?.unwrap_or(LIMIT));
    let text: BTreeMap<_, _> = env.iter().map(|(k, v)| (k.to_string_lossy(), v.to_string_lossy())).collect();
    crate::print_json(&text)
}

/// An answer, and the start of the container it was given in.
#[derive(Serialize, Deserialize)]
struct Kept {
    start: String,
    env: BTreeMap<String, String>,
}

/// The environment the user's shell makes; empty when it gives no answer in time.
pub fn environment(place: &Place, user: &str, account: &Account, mode: Mode, limit: Duration) -> Env {
    if mode == Mode::None {
        return Env::new();
    }
    let base = for_account(container(place), &Account::current(place), account);
    let shell = shell(&base, account);
    let key = format!("{user} {}:{} {mode:?} {shell}", account.uid, account.gid);
    let file =
        place.folder("probes").ok().map(|folder| folder.join(format!("{:016x}.json", fingerprint(key.as_bytes()))));
    // The lock keeps a second asker from running the shell as well: it waits and finds the answer.
    let lock = file.as_ref().and_then(|f| fs::File::create(f.with_extension("lock")).ok());
    let _held = lock.as_ref().map(fs::File::lock);
    let start = process::start_id();
    let kept = file.as_ref().and_then(|f| serde_json::from_slice::<Kept>(&fs::read(f).ok()?).ok());
    if let Some(kept) = kept.filter(|kept| kept.start == start) {
        return kept.env.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    }
    let env = ask(place, user, &shell, mode, &base, limit, account.uid == 0);
    let kept = Kept { start, env: env.clone() };
    if let (Some(file), Ok(bytes)) = (file, serde_json::to_vec(&kept)) {
        let _ = write_whole(&file, &bytes, 0o600);
    }
    env.into_iter().map(|(k, v)| (k.into(), v.into())).collect()
}

/// The environment of the container itself, kept by `main`: what one exec brings along must not get into an answer
/// that is kept for others.
fn container(place: &Place) -> Env {
    let kept = place.state().ok().and_then(|state| fs::read(state.join("environment.json")).ok());
    let kept = kept.and_then(|bytes| serde_json::from_slice::<BTreeMap<String, String>>(&bytes).ok());
    kept.map_or_else(inherited, |env| env.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
}

fn shell(base: &Env, account: &Account) -> String {
    let named = base.get(OsStr::new("SHELL")).map(|shell| shell.to_string_lossy().into_owned());
    named.or_else(|| account.shell.clone()).filter(|s| !s.is_empty()).unwrap_or_else(|| "/bin/sh".to_owned())
}

fn ask(
    place: &Place,
    user: &str,
    shell: &str,
    mode: Mode,
    base: &Env,
    limit: Duration,
    root: bool,
) -> BTreeMap<String, String> {
    for (how, separator) in [("cat /proc/self/environ", '\0'), ("printenv", '\n')] {
        let mark = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim().to_owned();
        let text = format!("echo -n {mark}; {how}; echo -n {mark}");
        let Some(output) = run(place, user, shell, mode, &text, base, limit) else {
            say(format_args!(
                "userEnvProbe: {shell} took longer than {} s and is ignored; does a start-up file wait for input?",
                limit.as_secs()
            ));
            return BTreeMap::new();
        };
        if let Some(mut env) =
            between(&output, &mark).map(|found| variables(found, separator)).filter(|env| !env.is_empty())
        {
            env.remove("PWD");
            let path = base.get(OsStr::new("PATH")).map(|path| path.to_string_lossy());
            if let (Some(theirs), Some(path)) = (env.get_mut("PATH"), path) {
                *theirs = merge_path(theirs, &path, root);
            }
            return env;
        }
    }
    say(format_args!("userEnvProbe: {shell} gave no answer and is ignored"));
    BTreeMap::new()
}

/// Runs the shell in a session of its own, so that an interactive one does not reach for our terminal and all of it
/// can be ended. The answer is there when the second mark is: what start-up files left in the background may go on.
/// None when out of time.
fn run(place: &Place, user: &str, shell: &str, mode: Mode, text: &str, base: &Env, limit: Duration) -> Option<String> {
    let mut command = place.me(&["as", "--exact", "--session", "--user", user, "--", shell]);
    command.args(mode.words(shell)).arg(text).env_clear().envs(base);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let pid = i32::try_from(child.id()).ok();
    let (sender, receiver) = mpsc::channel();
    let mark = text.split([' ', ';']).nth(2).unwrap_or_default().to_owned();
    std::thread::spawn(move || {
        let answer = child.stdout.take().map(|output| read_answer(output.take(OUTPUT), mark.as_bytes()));
        let _ = sender.send(answer.unwrap_or_default());
        let _ = child.wait();
    });
    let answer = receiver.recv_timeout(limit).ok();
    if let (None, Some(pid)) = (&answer, pid) {
        process::signal_group(pid, None, Signal::SIGKILL);
    }
    answer
}

fn read_answer(mut output: impl Read, mark: &[u8]) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(n @ 1..) = output.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..n]);
        if bytes.windows(mark.len().max(1)).filter(|found| *found == mark).count() >= 2 {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn between<'a>(output: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = output.split_once(mark)?;
    rest.rsplit_once(mark).map(|(found, _)| found)
}

fn variables(text: &str, separator: char) -> BTreeMap<String, String> {
    let pairs = text.split(separator).filter_map(|line| line.split_once('='));
    pairs.filter(|(name, _)| !name.is_empty()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The shell's PATH, with the container's entries it forgot, each behind the one it followed there.
/// Folders named sbin are for root alone.
fn merge_path(shell: &str, container: &str, root: bool) -> String {
    let mut merged: Vec<&str> = shell.split(':').collect();
    let mut at = 0;
    for entry in container.split(':') {
        match merged.iter().position(|known| *known == entry) {
            Some(found) => at = found + 1,
            None if root || !entry.split('/').skip(1).any(|part| part == "sbin") => {
                merged.insert(at, entry);
                at += 1;
            }
            None => {}
        }
    }
    merged.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_merged_as_the_reference_does() {
        assert_eq!(
            merge_path("/home/u/bin:/usr/bin:/bin", "/usr/local/bin:/usr/bin:/opt/x:/usr/sbin", false),
            "/usr/local/bin:/home/u/bin:/usr/bin:/opt/x:/bin"
        );
        assert_eq!(merge_path("/bin", "/sbin:/bin", true), "/sbin:/bin");
        assert_eq!(merge_path("/bin", "/bin", false), "/bin");
    }

    #[test]
    fn noise_around_the_answer_is_dropped() {
        assert_eq!(between("motd\nMARKA=1\0B=2=3\0MARKbye", "MARK"), Some("A=1\0B=2=3\0"));
        assert_eq!(between("MARK", "MARK"), None);
        let env = variables("A=1\0B=2=3\0junk\0=x\0", '\0');
        assert_eq!(env.into_iter().collect::<Vec<_>>(), [("A".into(), "1".into()), ("B".into(), "2=3".into())]);
    }

    #[test]
    fn shells_are_asked_in_their_own_words() {
        assert_eq!(Mode::LoginInteractive.words("/bin/zsh"), ["-lic"]);
        assert_eq!(Mode::Login.words("/usr/bin/pwsh"), ["-Login", "-Command"]);
        assert!(Mode::parse("loginshell").is_err());
    }
}
