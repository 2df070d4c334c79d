//! How a command starts: as whom, where, with which environment. The same options everywhere.

use crate::account::Account;
use crate::args::{Args, Opt, pair};
use crate::failure::{Failure, NO_INPUT, NOT_EXECUTABLE, NOT_FOUND, Result};
use crate::place::{Place, SPEC_VARIABLE};
use crate::probe::{self, Mode};
use crate::rights;
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names and values.
pub type Env = BTreeMap<OsString, OsString>;

/// The options every command that starts something takes.
pub const OPTIONS: &[Opt] = &[
    Opt::Value("user"),
    Opt::Value("cwd"),
    Opt::Value("env"),
    Opt::Value("unset"),
    Opt::Value("pass"),
    Opt::Value("probe"),
];

/// As whom, where, with which environment.
pub struct Launch {
    /// As it was written.
    pub user: String,
    /// As it was found.
    pub account: Account,
    /// Where, when not here.
    pub cwd: Option<PathBuf>,
    /// Set last.
    pub env: Vec<(OsString, OsString)>,
    /// Removed after that.
    pub unset: Vec<OsString>,
    /// Kept as this process has them, whatever the user's shell says.
    pub pass: Vec<OsString>,
    /// Which of the user's shell files count.
    pub mode: Mode,
}

impl Launch {
    /// Plain, for a user.
    pub fn new(place: &Place, user: &str) -> Result<Self> {
        let account = Account::find(place, user)?;
        let user = user.to_owned();
        Ok(Self { user, account, cwd: None, env: vec![], unset: vec![], pass: vec![], mode: Mode::None })
    }

    /// From the command line.
    pub fn parse(place: &Place, args: &Args) -> Result<Self> {
        let mut launch = Self::new(place, &args.needed("user")?)?;
        launch.cwd = args.one("cwd").map(PathBuf::from);
        launch.env = args.all("env").map(pair).collect::<Result<_>>()?;
        launch.unset = args.all("unset").map(OsStr::to_owned).collect();
        launch.pass = args.all("pass").map(OsStr::to_owned).collect();
        launch.mode = Mode::parse(args.text("probe")?.as_deref().unwrap_or("none"))?;
        Ok(launch)
    }

    /// The whole environment: ours, the user's names, what the user's shell says, what is passed, set and unset.
    pub fn environment(&self, place: &Place) -> Env {
        let ours = inherited();
        let mut env = for_account(ours.clone(), &Account::current(place), &self.account);
        if self.mode != Mode::None {
            env.extend(probe::environment(place, &self.user, &self.account, self.mode, probe::LIMIT));
        }
        for name in &self.pass {
            if let Some(value) = ours.get(name) {
                env.insert(name.clone(), value.clone());
            }
        }
        env.extend(self.env.iter().cloned());
        for name in &self.unset {
            env.remove(name);
        }
        env
    }
}

/// The environment of this process, without what is meant for `inside main` alone.
pub fn inherited() -> Env {
    std::env::vars_os().filter(|(name, _)| name != SPEC_VARIABLE).collect()
}

/// Names the user. What the engine set for the user it started us as must not stick to another one; what the image
/// set on purpose (a HOME that is nobody's) stays.
pub fn for_account(mut env: Env, current: &Account, target: &Account) -> Env {
    let facts = |account: &Account| {
        let name = account.name.clone().map(OsString::from);
        let home = Some(account.home.clone().into_os_string());
        [
            ("HOME", home),
            ("USER", name.clone()),
            ("LOGNAME", name),
            ("SHELL", account.shell.clone().map(OsString::from)),
        ]
    };
    for ((name, theirs), (_, ours)) in facts(target).into_iter().zip(facts(current)) {
        let name = OsStr::new(name);
        let stale = current.uid != target.uid && env.get(name) == ours.as_ref();
        match theirs {
            Some(value) if stale || !env.contains_key(name) => {
                env.insert(name.to_owned(), value);
            }
            None if stale => {
                env.remove(name);
            }
            _ => {}
        }
    }
    env
}

/// Becomes the account, without the rights that are `inside`'s alone. There is no way back.
pub fn switch(account: &Account) -> Result<()> {
    rights::give_up()?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    if (geteuid(), getegid()) == (uid, gid) {
        return Ok(());
    }
    let doing = format!("become {}:{}", account.uid, account.gid);
    let mut groups: Vec<Gid> = vec![gid];
    groups.extend(account.groups.iter().map(|(_, gid)| Gid::from_raw(*gid)).filter(|g| *g != gid));
    setgroups(&groups)
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(uid, uid, uid))
        .map_err(|error| Failure::system(doing, error))
}

/// Changes folder; the failure names it.
pub fn enter(cwd: &Path) -> Result<()> {
    std::env::set_current_dir(cwd).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::new("no-such-folder", NO_INPUT, format!("there is no folder {}", cwd.display()))
        }
        _ => Failure::system(format_args!("enter {}", cwd.display()), error),
    })
}

/// Becomes the command; returns only when that failed.
pub fn exec(argv: &[OsString], name: Option<OsString>, mut env: Env) -> Failure {
    let Some((program, rest)) = argv.split_first() else {
        return Failure::usage("no command: write it behind a --");
    };
    // A PWD of before would be a lie.
    if let Ok(here) = std::env::current_dir()
        && env.contains_key(OsStr::new("PWD"))
    {
        env.insert("PWD".into(), here.into_os_string());
    }
    let mut command = Command::new(program);
    if let Some(name) = name {
        command.arg0(name);
    }
    let path = env.get(OsStr::new("PATH")).cloned();
    let error = command.args(rest).env_clear().envs(env).exec();
    let shown = program.to_string_lossy();
    // A folder of PATH this user may not enter makes the answer "permission denied" although the command is nowhere.
    let nowhere = !shown.contains('/') && !in_path(program, path.as_deref());
    match error.kind() {
        kind if kind == ErrorKind::NotFound || nowhere => Failure::new(
            "no-such-command",
            NOT_FOUND,
            format!("{shown}: not found (neither it, nor the interpreter its first line names, is in this image)"),
        ),
        _ => Failure::new("cannot-execute", NOT_EXECUTABLE, format!("{shown}: {error}")),
    }
}

fn in_path(program: &OsStr, path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(program).exists()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::find_in;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect()
    }

    #[test]
    fn the_names_of_root_do_not_stick_to_the_user() {
        let passwd = "root:x:0:0::/root:/bin/bash\nvscode:x:1000:1000::/home/vscode:/bin/zsh\n";
        let root = find_in(passwd, "", "root").unwrap();
        let vscode = find_in(passwd, "", "vscode").unwrap();
        let got = for_account(env(&[("HOME", "/root"), ("PATH", "/bin")]), &root, &vscode);
        let names = [
            ("HOME", "/home/vscode"),
            ("LOGNAME", "vscode"),
            ("PATH", "/bin"),
            ("SHELL", "/bin/zsh"),
            ("USER", "vscode"),
        ];
        assert_eq!(got, env(&names));
        let got = for_account(env(&[("HOME", "/custom"), ("SHELL", "/bin/fish")]), &root, &vscode);
        assert_eq!(got.get(OsStr::new("HOME")).unwrap(), "/custom");
        assert_eq!(got.get(OsStr::new("SHELL")).unwrap(), "/bin/fish");
        let stranger = find_in(passwd, "", "4711").unwrap();
        let got = for_account(env(&[("HOME", "/root"), ("USER", "root")]), &root, &stranger);
        assert_eq!(got, env(&[("HOME", "/")]));
    }
}
