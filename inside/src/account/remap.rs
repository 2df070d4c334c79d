//! updateRemoteUserUID: giving the remote user the ids of the person's files, by the rules of the reference's
//! `updateUID.Dockerfile`, but when the container starts, so that no image is built for it.

use super::{Account, entries, find_in, groups};
use crate::failure::say;
use crate::ownership;
use crate::place::{Place, replace};
use serde::Deserialize;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is wanted.
#[derive(Clone, Debug, Deserialize)]
pub struct Wanted {
    /// The remote user, by name or number.
    pub user: String,
    /// Its new user id.
    pub uid: u32,
    /// Its new group id.
    pub gid: u32,
}

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, and why.
    Skip(String),
    /// These edits.
    Change {
        /// Name in passwd.
        name: String,
        /// New user id.
        uid: u32,
        /// New group id, or the old one when somebody else has the new one.
        gid: u32,
        /// Group id up to now.
        old_gid: u32,
        /// Home folder, which changes hands.
        home: PathBuf,
    },
}

/// Decides, from the texts of the two files.
pub fn plan(passwd: &str, group: &str, wanted: &Wanted) -> Plan {
    let user = &wanted.user;
    if user.parse::<u32>().is_ok() {
        return Plan::Skip(format!("remote user {user} is a number"));
    }
    let Some(name) = entries(passwd).find(|e| e.name == user).map(|e| e.name.to_owned()) else {
        return Plan::Skip(format!("remote user {user} is not in /etc/passwd"));
    };
    let Ok(Account { uid: old_uid, gid: old_gid, home, .. }) = find_in(passwd, group, &name) else {
        return Plan::Skip(format!("remote user {user} is not in /etc/passwd"));
    };
    if old_uid == 0 || wanted.uid == 0 {
        return Plan::Skip("root keeps its ids".to_owned());
    }
    if (old_uid, old_gid) == (wanted.uid, wanted.gid) {
        return Plan::Skip("the ids are right already".to_owned());
    }
    let other = entries(passwd).find(|e| e.uid == wanted.uid && e.name != name);
    if let Some(other) = other.filter(|_| old_uid != wanted.uid) {
        return Plan::Skip(format!("uid {} belongs to {}", wanted.uid, other.name));
    }
    let taken = wanted.gid != old_gid && groups(group).any(|(_, gid, _)| gid == wanted.gid);
    let gid = if taken { old_gid } else { wanted.gid };
    match (old_uid, old_gid) == (wanted.uid, gid) {
        true => Plan::Skip(format!("gid {} belongs to another group", wanted.gid)),
        false => Plan::Change { name, uid: wanted.uid, gid, old_gid, home },
    }
}

/// passwd with the user's new ids; every other byte stays.
fn passwd_with(passwd: &[u8], name: &str, uid: u32, gid: u32) -> Vec<u8> {
    edit(passwd, |fields| {
        if fields.len() > 3 && fields[0] == name.as_bytes() {
            fields[2] = uid.to_string().into_bytes();
            fields[3] = gid.to_string().into_bytes();
        }
    })
}

/// group with one number replaced; every other byte stays.
fn group_with(group: &[u8], old: u32, new: u32) -> Vec<u8> {
    edit(group, |fields| {
        if fields.len() > 2 && fields[2] == old.to_string().as_bytes() {
            fields[2] = new.to_string().into_bytes();
        }
    })
}

fn edit(text: &[u8], change: impl Fn(&mut [Vec<u8>])) -> Vec<u8> {
    let lines = text.split(|b| *b == b'\n').map(|line| {
        let mut fields: Vec<Vec<u8>> = line.split(|b| *b == b':').map(<[u8]>::to_vec).collect();
        change(&mut fields);
        fields.join(&b':')
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Does it. The home folder comes first and passwd last: passwd is the mark that all is done, so an interrupted
/// change is taken up again by the next start.
pub fn apply(place: &Place, wanted: &Wanted) {
    let (passwd_path, group_path) = (place.path("/etc/passwd"), place.path("/etc/group"));
    let passwd = fs::read(&passwd_path).unwrap_or_default();
    let group = fs::read(&group_path).unwrap_or_default();
    let decided = plan(&String::from_utf8_lossy(&passwd), &String::from_utf8_lossy(&group), wanted);
    let (name, uid, gid, old_gid, home) = match decided {
        Plan::Skip(reason) => return say(format_args!("uid update skipped: {reason}")),
        Plan::Change { name, uid, gid, old_gid, home } => (name, uid, gid, old_gid, home),
    };
    if !nix::unistd::geteuid().is_root() {
        return say("uid update skipped: not running as root");
    }
    // Asked before anything changes hands: on a read-only root file system nothing may be half done.
    if let Err(error) = rewrite(&passwd_path, &passwd) {
        return say(format_args!("uid update skipped: cannot write /etc/passwd: {error}"));
    }
    if home.parent().is_some() {
        ownership::give(&place.path(&home), uid, gid);
    }
    if gid != old_gid
        && !group.is_empty()
        && let Err(error) = rewrite(&group_path, &group_with(&group, old_gid, gid))
    {
        say(format_args!("cannot write /etc/group: {error}"));
    }
    match rewrite(&passwd_path, &passwd_with(&passwd, &name, uid, gid)) {
        Ok(()) => say(format_args!("{name} is now {uid}:{gid}")),
        Err(error) => say(format_args!("cannot write /etc/passwd: {error}")),
    }
}

/// Replaces atomically; a file that is itself a mount cannot be replaced, only overwritten.
fn rewrite(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let target = fs::canonicalize(path)?;
    let found = fs::metadata(&target)?;
    match replace(&target, bytes, found.permissions().mode() & 0o7777, Some((found.uid(), found.gid()))) {
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => fs::write(&target, bytes),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nvscode:x:1000:1000:V,,:/home/vscode:/bin/bash\ncode:x:1001:1001::/home/code:\n";
    const GROUP: &str = "root:x:0:\nvscode:x:1000:\nalso:x:1000:x\ncode:x:1001:\nstaff:x:50:vscode\n";

    fn wanted(user: &str, uid: u32, gid: u32) -> Wanted {
        Wanted { user: user.to_owned(), uid, gid }
    }

    fn changed(user: &str, uid: u32, gid: u32) -> (u32, u32) {
        match plan(PASSWD, GROUP, &wanted(user, uid, gid)) {
            Plan::Change { uid, gid, .. } => (uid, gid),
            Plan::Skip(why) => panic!("skipped: {why}"),
        }
    }

    #[test]
    fn the_reference_rules() {
        for (user, uid, gid) in [
            ("root", 5, 5),
            ("nobody", 5, 5),
            ("1000", 5, 5),
            ("vscode", 1000, 1000),
            ("vscode", 1001, 7),
            ("vscode", 0, 0),
        ] {
            assert!(matches!(plan(PASSWD, GROUP, &wanted(user, uid, gid)), Plan::Skip(_)), "{user} {uid} {gid}");
        }
        assert_eq!(changed("vscode", 501, 501), (501, 501));
        assert_eq!(changed("vscode", 501, 50), (501, 1000), "an existing group keeps its id");
        assert_eq!(changed("vscode", 1000, 501), (1000, 501), "the group alone may change");
        assert!(
            matches!(plan(PASSWD, GROUP, &wanted("vscode", 1000, 50)), Plan::Skip(_)),
            "nothing would be left to do"
        );
        assert_eq!(changed("code", 501, 501), (501, 501), "a name within another name is not confused");
    }

    #[test]
    fn only_the_ids_change() {
        let edited = String::from_utf8(passwd_with(PASSWD.as_bytes(), "code", 7, 8)).unwrap();
        assert_eq!(edited, PASSWD.replace("code:x:1001:1001::/home/code", "code:x:7:8::/home/code"));
        let edited = String::from_utf8(group_with(GROUP.as_bytes(), 1000, 501)).unwrap();
        assert_eq!(edited, GROUP.replace(":1000:", ":501:"));
        assert_eq!(passwd_with(b"bad\xff line\n", "bad", 1, 1), b"bad\xff line\n");
    }
}
