//! `${devcontainerId}`: a name that stays the same as long as the labels of a container do.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Digits of base 32 in the sense of "the next digits after 9", as `BigInt.toString(32)` has them.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The id for a set of labels: SHA-256 over their JSON with sorted keys, as a number in base 32,
/// padded to 52 digits.
#[must_use]
pub fn devcontainer_id(labels: &BTreeMap<String, String>) -> String {
    let json: Vec<String> = labels.iter().map(|(name, value)| format!("{}:{}", quote(name), quote(value))).collect();
    let hash = Sha256::digest(format!("{{{}}}", json.join(",")));
    // 52 digits hold 260 bits, the number has 256: the first digit takes only one bit of it.
    (0..52)
        .map(|digit| {
            let value = (0..5).fold(0_usize, |value, bit| {
                let at = digit * 5 + bit;
                let set = at >= 4 && hash[(at - 4) / 8] >> (7 - (at - 4) % 8) & 1 == 1;
                value << 1 | usize::from(set)
            });
            char::from(DIGITS[value])
        })
        .collect()
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_one_the_reference_computes() {
        let labels = BTreeMap::from([
            ("devcontainer.local_folder".to_owned(), "/home/a/project".to_owned()),
            ("devcontainer.config_file".to_owned(), "/home/a/project/.devcontainer/devcontainer.json".to_owned()),
        ]);
        let id = devcontainer_id(&labels);
        assert_eq!(id, "05gn1dqnmjvbm8773l5v9f8ui51kghhg7nc1tb1vloki2c9fu2cs");
        assert_eq!(devcontainer_id(&BTreeMap::new()), "0h0jduhlbcr7h88kdb8muvk697kkvd7s47v7fq1h1g30uoealvsa");
    }

    #[test]
    fn another_label_gives_another_id() {
        let id = |value: &str| devcontainer_id(&BTreeMap::from([("a".to_owned(), value.to_owned())]));
        assert_ne!(id("1"), id("2"));
        assert_eq!(id("\"é\\").len(), 52);
    }
}
