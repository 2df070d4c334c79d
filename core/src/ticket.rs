//! Random texts that prove something: entry tickets, cookies, API tokens. Only their hashes are kept.

use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// 32 random bytes as 64 hexadecimal digits behind a prefix, and the hash to keep of it.
#[must_use]
pub fn mint(prefix: &str) -> (Secret<String>, String) {
    let bytes: [u8; 32] = rand::rng().random();
    let text = format!("{prefix}{}", hex::encode(bytes));
    let hash = hash(&text);
    (Secret::new(text), hash)
}

/// The form in which a token is stored and looked up: SHA-256 in hexadecimal. The tokens have 256
/// random bits, so that a slow hash would add nothing.
#[must_use]
pub fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Compares two texts in time that does not depend on where they differ.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_only() {
        let (token, kept) = mint("st_");
        assert!(token.reveal().starts_with("st_"));
        assert_eq!(hash(token.reveal()), kept);
        assert!(!kept.contains(&token.reveal()[3..]));
        assert!(same(&kept, &hash(token.reveal())));
        assert!(!same(&kept, &hash("st_other")));
    }
}
