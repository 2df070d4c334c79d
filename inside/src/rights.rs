//! Capabilities that `inside` keeps for itself and its users are not to have: a configuration that drops all of them
//! (`--cap-drop=ALL`) still wants its files given to its user, and a shell as that user.

use crate::boot::Spec;
use crate::failure::{Failure, Result};
use crate::place::SPEC_VARIABLE;
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};
use std::fs;

/// By the names configurations use.
const KNOWN: [(&str, CapabilitySet); 7] = [
    ("CHOWN", CapabilitySet::CHOWN),
    ("DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ("FOWNER", CapabilitySet::FOWNER),
    ("SETUID", CapabilitySet::SETUID),
    ("SETGID", CapabilitySet::SETGID),
    ("SETPCAP", CapabilitySet::SETPCAP),
    ("KILL", CapabilitySet::KILL),
];

/// Takes from this process what no program of the user's is ever to have, as far as it is not needed before the
/// program starts: call it before the user is changed, because afterwards nobody may.
pub fn give_up() -> Result<()> {
    let refused = |error| Failure::system("give up capabilities", std::io::Error::from(error));
    let unwanted = unwanted();
    // Who has it not in reach has been here before, and may not remove it either.
    let has = |capability: &CapabilitySet| capability_is_in_bounding_set(*capability).unwrap_or(false);
    let mut left: Vec<CapabilitySet> = unwanted.into_iter().filter(has).collect();
    if left.is_empty() {
        return Ok(());
    }
    // The right to remove goes last.
    left.sort_by_key(|capability| *capability == CapabilitySet::SETPCAP);
    let _ = clear_ambient_capability_set();
    let mut sets = capabilities(None).map_err(refused)?;
    sets.inheritable &= !left.iter().fold(CapabilitySet::empty(), |all, one| all | *one);
    set_capabilities(None, sets).map_err(refused)?;
    // Those that it holds at this moment end with the program that follows: none can be had beyond the bounds.
    left.into_iter().try_for_each(|capability| remove_capability_from_bounding_set(capability).map_err(refused))
}

/// As the container was told. Its first process is asked, because nobody in the container can change what that was
/// told; what lies in a file or comes with an exec can be.
fn unwanted() -> Vec<CapabilitySet> {
    let Ok(environment) = fs::read("/proc/1/environ") else { return Vec::new() };
    let prefix = format!("{SPEC_VARIABLE}=");
    let text = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()));
    let spec: Spec = text.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    named(&spec.drop)
}

fn named(names: &[String]) -> Vec<CapabilitySet> {
    KNOWN.into_iter().filter(|(name, _)| names.iter().any(|other| other == name)).map(|(_, set)| set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_configurations() {
        let names = ["CHOWN", "NET_RAW", "SETPCAP"].map(str::to_owned);
        assert_eq!(named(&names), [CapabilitySet::CHOWN, CapabilitySet::SETPCAP]);
        assert!(named(&[]).is_empty());
    }
}
