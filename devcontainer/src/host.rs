//! What a configuration asks of the machine that runs it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `hostRequirements`. Sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostRequirements {
    /// Number of processors.
    pub cpus: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Disk in bytes.
    pub storage: Option<u64>,
    /// Whether a graphics processor is needed.
    pub gpu: Option<Gpu>,
}

/// The need for a graphics processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gpu {
    /// One is needed.
    Required,
    /// One is used if there is one.
    Optional,
    /// One is needed that has at least so many cores and bytes of memory.
    AtLeast {
        /// Number of cores.
        cores: Option<f64>,
        /// Memory in bytes.
        memory: Option<u64>,
    },
}

impl HostRequirements {
    /// Reads what can be read; `None` if nothing is asked for.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let size = |key: &str| map.get(key).map(bytes).filter(|n| *n > 0);
        let read = Self {
            cpus: positive(map, "cpus"),
            memory: size("memory"),
            storage: size("storage"),
            gpu: map.get("gpu").and_then(Gpu::from_json),
        };
        (read != Self::default()).then_some(read)
    }
}

impl Gpu {
    /// Reads `true`, `"optional"` or an object; `None` for `false` and anything else.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(true) => Some(Self::Required),
            Value::String(text) if text == "optional" => Some(Self::Optional),
            Value::Object(map) => {
                let cores = positive(map, "cores");
                let memory = map.get("memory").map(bytes).filter(|n| *n > 0);
                let any = cores.is_none() && memory.is_none();
                Some(if any { Self::Required } else { Self::AtLeast { cores, memory } })
            }
            _ => None,
        }
    }
}

fn positive(map: &Map<String, Value>, key: &str) -> Option<f64> {
    map.get(key).and_then(Value::as_f64).filter(|n| *n > 0.0)
}

/// The bytes of a size such as `4gb`: digits and an optional lower-case unit, powers of 1024.
/// Anything else counts as 0, as in the reference.
pub(crate) fn bytes(value: &Value) -> u64 {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => return number.as_u64().unwrap_or(0),
        _ => return 0,
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        "tb" => 1 << 40,
        _ => return 0,
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    digits.parse::<u64>().map_or(u64::MAX, |n| n.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_in_lower_case() {
        assert_eq!(bytes(&json!("4gb")), 4 << 30);
        assert_eq!(bytes(&json!("512mb")), 512 << 20);
        assert_eq!(bytes(&json!("17")), 17);
        for odd in [json!("4GB"), json!("1.5gb"), json!("gb"), json!(""), json!(4.5), json!("4 gb"), json!("-1")] {
            assert_eq!(bytes(&odd), 0, "{odd}");
        }
        assert_eq!(bytes(&json!("99999999999999999999tb")), u64::MAX);
    }

    #[test]
    fn nothing_asked_for_is_nothing() {
        assert_eq!(HostRequirements::from_json(&json!({})), None);
        assert_eq!(HostRequirements::from_json(&json!({"gpu": false, "cpus": 0})), None);
        let read = HostRequirements::from_json(&json!({"gpu": "optional", "cpus": 2, "memory": "1kb"}));
        let asked = HostRequirements { cpus: Some(2.0), memory: Some(1024), storage: None, gpu: Some(Gpu::Optional) };
        assert_eq!(read, Some(asked));
    }
}
