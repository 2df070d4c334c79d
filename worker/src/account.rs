//! Who the remote user is by number, before the container has said so.
//!
//! A checkout is packed with the owner's ids. `inside main` may give the remote user other ids when the
//! container starts (updateRemoteUserUID); it decides by the rules below, so that both come to the same
//! numbers whether it has done so yet or not.

use steading_core::pod::inside::Ids;

/// A user by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
}

/// Finds `NAME`, `UID`, or either with `:GROUP`, in the texts of passwd and group. `None` if there is
/// no such user or group.
pub(crate) fn find(passwd: &str, group: &str, user: &str, update: Option<&Ids>) -> Option<Owner> {
    let (who, of) = user.split_once(':').map_or((user, None), |(who, of)| (who, Some(of)));
    let entries = || passwd.lines().filter_map(entry);
    let number: Option<u32> = who.parse().ok();
    let named = entries().find(|(name, ..)| *name == who && !who.is_empty());
    let found = named.or_else(|| number.and_then(|number| entries().find(|(_, uid, _)| *uid == number)));
    let mut owner = match (found, number) {
        (Some((_, uid, gid)), _) => Owner { uid, gid },
        (None, Some(uid)) => Owner { uid, gid: 0 },
        (None, None) if who == "root" => Owner { uid: 0, gid: 0 },
        (None, None) => return None,
    };
    if let Some((name, ..)) = named
        && let Some(wanted) = update.filter(|wanted| wanted.user == name)
    {
        owner = updated(passwd, group, name, owner, wanted);
    }
    if let Some(of) = of {
        let named = groups(group).find(|(name, _)| *name == of).map(|(_, gid)| gid);
        owner.gid = named.or_else(|| of.parse().ok())?;
    }
    Some(owner)
}

/// The rules of the reference's `updateUID.Dockerfile`.
fn updated(passwd: &str, group: &str, name: &str, old: Owner, wanted: &Ids) -> Owner {
    if old.uid == 0 || wanted.uid == 0 {
        return old;
    }
    let is_taken = || passwd.lines().filter_map(entry).any(|(other, uid, _)| uid == wanted.uid && other != name);
    if old.uid != wanted.uid && is_taken() {
        return old;
    }
    let gid_taken = wanted.gid != old.gid && groups(group).any(|(_, gid)| gid == wanted.gid);
    Owner { uid: wanted.uid, gid: if gid_taken { old.gid } else { wanted.gid } }
}

fn entry(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    Some((name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn groups(group: &str) -> impl Iterator<Item = (&str, u32)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some((name, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nvscode:x:1000:1000::/home/vscode:\ncode:x:1001:1001::/:\n";
    const GROUP: &str = "root:x:0:\nvscode:x:1000:\ncode:x:1001:\nstaff:x:50:\n";

    fn ids(user: &str, uid: u32, gid: u32) -> Ids {
        Ids { user: user.to_owned(), uid, gid }
    }

    fn found(user: &str, update: Option<&Ids>) -> Option<(u32, u32)> {
        find(PASSWD, GROUP, user, update).map(|o| (o.uid, o.gid))
    }

    #[test]
    fn names_numbers_and_groups_are_found() {
        assert_eq!(found("vscode", None), Some((1000, 1000)));
        assert_eq!(found("1001", None), Some((1001, 1001)));
        assert_eq!(found("vscode:staff", None), Some((1000, 50)));
        assert_eq!(found("4711:7", None), Some((4711, 7)));
        assert_eq!(found("4711", None), Some((4711, 0)));
        assert_eq!(found("alice", None), None);
        assert_eq!(found("vscode:nobody", None), None);
        assert_eq!(find("", "", "root", None), Some(Owner { uid: 0, gid: 0 }));
    }

    #[test]
    fn ids_are_updated_as_inside_updates_them() {
        assert_eq!(found("vscode", Some(&ids("vscode", 501, 501))), Some((501, 501)));
        assert_eq!(found("vscode", Some(&ids("vscode", 501, 50))), Some((501, 1000)));
        assert_eq!(found("vscode", Some(&ids("vscode", 1001, 7))), Some((1000, 1000)));
        assert_eq!(found("vscode", Some(&ids("vscode", 1000, 501))), Some((1000, 501)));
        assert_eq!(found("root", Some(&ids("root", 5, 5))), Some((0, 0)));
        assert_eq!(found("1000", Some(&ids("1000", 5, 5))), Some((1000, 1000)));
    }
}
