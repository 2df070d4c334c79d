//! Users and groups, read from /etc/passwd and /etc/group by ourselves: a static program cannot load the C library's
//! name services, and images without either file must work too.

pub mod remap;

use crate::failure::{Failure, NO_USER, Result};
use crate::place::Place;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Somebody a process can run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Absent when the user is only a number.
    pub name: Option<String>,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder; `/` when nobody says otherwise.
    pub home: PathBuf,
    /// Login shell, absent when the image names none.
    pub shell: Option<String>,
    /// Supplementary groups, with their names.
    pub groups: Vec<(String, u32)>,
}

impl Account {
    /// Finds `NAME`, `UID`, or either with `:GROUP` (a name or a number), as `docker exec --user` does.
    pub fn find(place: &Place, user: &str) -> Result<Self> {
        let read = |path: &str| {
            fs::read(place.path(path)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
        };
        find_in(&read("/etc/passwd"), &read("/etc/group"), user)
    }

    /// The user this process runs as.
    pub fn current(place: &Place) -> Self {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let mut account = Self::find(place, &uid.to_string()).unwrap_or_else(|_| numeric(uid, gid));
        account.gid = gid;
        account
    }

    /// What `inside user` prints.
    pub fn to_json(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(|(name, gid)| json!({"name": name, "gid": gid})).collect();
        json!({
            "name": self.name, "uid": self.uid, "gid": self.gid, "home": self.home.to_string_lossy(),
            "shell": self.shell, "groups": groups,
        })
    }
}

/// One line of passwd.
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
    shell: &'a str,
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let (_comment, home) = (fields.next(), fields.next().unwrap_or(""));
        Some(Entry { name, uid, gid, home, shell: fields.next().unwrap_or("").trim() })
    })
}

/// Name, id and members of each group.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some((name, fields.next()?.parse().ok()?, fields.next().unwrap_or("").trim()))
    })
}

/// Finds a user in the texts of the two files.
pub fn find_in(passwd: &str, group: &str, user: &str) -> Result<Account> {
    let (who, of) = match user.split_once(':') {
        Some((who, of)) => (who, Some(of)),
        None => (user, None),
    };
    let entry = entries(passwd)
        .find(|e| e.name == who && !who.is_empty())
        .or_else(|| who.parse().ok().and_then(|uid: u32| entries(passwd).find(|e| e.uid == uid)));
    let mut account = match (entry, who.parse()) {
        (Some(entry), _) => Account {
            name: Some(entry.name.to_owned()),
            uid: entry.uid,
            gid: entry.gid,
            home: PathBuf::from(if entry.home.is_empty() { "/" } else { entry.home }),
            shell: (!entry.shell.is_empty()).then(|| entry.shell.to_owned()),
            groups: Vec::new(),
        },
        (None, Ok(uid)) => numeric(uid, 0),
        (None, Err(_)) if who == "root" => numeric(0, 0),
        (None, Err(_)) => {
            let hint = "add the user to the image, or correct remoteUser";
            return Err(Failure::new(
                "no-such-user",
                NO_USER,
                format!("there is no user {who:?} in /etc/passwd; {hint}"),
            ));
        }
    };
    match of {
        Some(of) => {
            let found = groups(group).find(|(name, _, _)| *name == of).map(|(_, gid, _)| gid);
            account.gid = found.or_else(|| of.parse().ok()).ok_or_else(|| {
                Failure::new("no-such-group", NO_USER, format!("there is no group {of:?} in /etc/group"))
            })?;
        }
        None => account.groups = memberships(group, account.name.as_deref()),
    }
    Ok(account)
}

fn memberships(group: &str, name: Option<&str>) -> Vec<(String, u32)> {
    let Some(name) = name else { return Vec::new() };
    groups(group)
        .filter(|(_, _, members)| members.split(',').any(|member| member.trim() == name))
        .map(|(group, gid, _)| (group.to_owned(), gid))
        .collect()
}

fn numeric(uid: u32, gid: u32) -> Account {
    let (name, home) = if uid == 0 { (Some("root".to_owned()), "/root") } else { (None, "/") };
    Account { name, uid, gid, home: home.into(), shell: None, groups: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nbroken\nvscode:x:1000:1000::/home/vscode:/bin/zsh\nold:x:12:13\n";
    const GROUP: &str = "root:x:0:\nvscode:x:1000:\ndocker:x:999:bob,vscode\nempty:x:5\n";

    #[test]
    fn names_numbers_and_groups_are_found() {
        let user = find_in(PASSWD, GROUP, "vscode").unwrap();
        assert_eq!((user.uid, user.gid, user.shell.as_deref()), (1000, 1000, Some("/bin/zsh")));
        assert_eq!(user.groups, [("docker".to_owned(), 999)]);
        assert_eq!(find_in(PASSWD, GROUP, "1000").unwrap(), user);
        let grouped = find_in(PASSWD, GROUP, "vscode:docker").unwrap();
        assert_eq!((grouped.gid, grouped.groups.len()), (999, 0));
        assert_eq!(find_in(PASSWD, GROUP, "12:77").unwrap().gid, 77);
        assert_eq!(find_in(PASSWD, GROUP, "old").unwrap().home, PathBuf::from("/"));
    }

    #[test]
    fn images_without_the_files_still_have_root_and_numbers() {
        assert_eq!(find_in("", "", "root").unwrap().home, PathBuf::from("/root"));
        let stranger = find_in("", "", "4711").unwrap();
        assert_eq!((stranger.uid, stranger.gid, stranger.name), (4711, 0, None));
    }

    #[test]
    fn strangers_are_named() {
        assert_eq!(find_in(PASSWD, GROUP, "alice").unwrap_err().code, "no-such-user");
        assert_eq!(find_in(PASSWD, GROUP, "").unwrap_err().code, "no-such-user");
        assert_eq!(find_in(PASSWD, GROUP, "vscode:nobody").unwrap_err().code, "no-such-group");
    }
}
