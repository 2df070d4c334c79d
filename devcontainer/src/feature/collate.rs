//! The order of texts that the reference's `localeCompare` has.
//!
//! That is the root order of the Unicode Collation Algorithm: punctuation, symbols, digits, letters, and
//! only where all else is equal, small letters before capitals. It is complete for ASCII, which references
//! and versions consist of; other letters follow by their code points, after `z`.

use std::cmp::Ordering;

/// All of ASCII that counts, in its order; letters stand for both their cases.
const ORDER: &str = "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// Compares as `a.localeCompare(b)` does.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    // Equal texts are the common case, and longer than they look: digests.
    if a == b {
        return Ordering::Equal;
    }
    primary(a).cmp(primary(b)).then_with(|| capitals(a).cmp(capitals(b)))
}

fn primary(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.chars().filter_map(|c| {
        if !c.is_ascii() {
            return Some(ORDER.len() + c as usize);
        }
        // Control characters are as if they were not there.
        ORDER.find(c.to_ascii_lowercase())
    })
}

fn capitals(text: &str) -> impl Iterator<Item = bool> + '_ {
    text.chars().filter(|c| !c.is_ascii() || ORDER.contains(c.to_ascii_lowercase())).map(|c| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_references() {
        let sorted = ["", "_", "-", ".", "@", "/a", "1", "1.0", "10", "2", "a", "a-b", "ab", "aB", "b", "B", "é"];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn case_counts_last_and_control_characters_not_at_all() {
        assert_eq!(compare("aB", "Ac"), Ordering::Less);
        assert_eq!(compare("a\u{1}b", "ab"), Ordering::Equal);
        assert_eq!(compare("x", "x"), Ordering::Equal);
    }
}
