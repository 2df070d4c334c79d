//! Which capabilities a container has, and which of them are the helper's alone.

/// What the helper needs before anybody's program runs: to give files to their user, to become that user, to end
/// what it started, and to put these very rights out of reach.
const NEEDED: [&str; 7] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SETPCAP", "KILL"];

/// Capabilities by their names without `CAP_`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rights {
    /// The container gets these on top of the engine's usual ones.
    pub add: Vec<String>,
    /// The container is without these.
    pub drop: Vec<String>,
    /// The container has these; the helper keeps them from everything it starts.
    pub withheld: Vec<String>,
}

/// Divides what a configuration asks for. As on docker's command line, adding wins over dropping, and a privileged
/// container has everything.
pub(super) fn divide(add: &[String], drop: &[String], privileged: bool) -> Rights {
    let bare = |text: &String| text.trim().to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let (add, drop): (Vec<String>, Vec<String>) = (add.iter().map(bare).collect(), drop.iter().map(bare).collect());
    if privileged {
        return Rights { add, drop, withheld: Vec::new() };
    }
    let has = |list: &[String], name: &str| list.iter().any(|one| one == name || one == "ALL");
    let withheld = NEEDED.into_iter().filter(|name| has(&drop, name) && !has(&add, name));
    let withheld: Vec<String> = withheld.map(str::to_owned).collect();
    let is_all = drop.iter().any(|one| one == "ALL");
    let drop = drop.into_iter().filter(|name| !NEEDED.contains(&name.as_str())).collect();
    let kept = withheld.iter().filter(|_| is_all).cloned();
    Rights { add: add.into_iter().chain(kept).collect(), drop, withheld }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(add: &[&str], drop: &[&str], privileged: bool) -> (String, String, String) {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let rights = divide(&owned(add), &owned(drop), privileged);
        (rights.add.join(" "), rights.drop.join(" "), rights.withheld.join(" "))
    }

    fn texts(add: &str, drop: &str, withheld: &str) -> (String, String, String) {
        (add.to_owned(), drop.to_owned(), withheld.to_owned())
    }

    #[test]
    fn nothing_asked_is_nothing_changed() {
        assert_eq!(divided(&[], &[], false), texts("", "", ""));
        assert_eq!(divided(&["NET_ADMIN"], &["NET_RAW"], false), texts("NET_ADMIN", "NET_RAW", ""));
    }

    #[test]
    fn what_the_helper_needs_stays_with_it_alone() {
        let all = "CHOWN DAC_OVERRIDE FOWNER SETUID SETGID SETPCAP KILL";
        assert_eq!(divided(&[], &["all"], false), texts(all, "ALL", all));
        assert_eq!(divided(&[], &["cap_setuid", "NET_RAW"], false), texts("", "NET_RAW", "SETUID"));
    }

    #[test]
    fn what_is_added_is_everybodys() {
        let (add, _, withheld) = divided(&["CHOWN"], &["ALL"], false);
        assert_eq!(add.matches("CHOWN").count(), 1);
        assert!(!withheld.contains("CHOWN") && withheld.contains("SETUID"), "{withheld}");
        assert_eq!(divided(&["SETUID"], &["SETUID"], false), texts("SETUID", "", ""));
        assert_eq!(divided(&[], &["ALL"], true), texts("", "ALL", ""));
    }
}
