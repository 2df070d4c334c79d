//! The row of the merge table that takes maxima: `hostRequirements`.

use serde_json::{Map, Value, json};

use super::rows::{Entry, Row};
use crate::host::bytes;

/// The largest of each requirement. Sizes come out as texts of bytes.
pub(super) fn maximum(entries: &[Entry]) -> Row {
    let mut cpus = 0.0_f64;
    let (mut memory, mut storage) = (0, 0);
    let mut gpu = None;
    let mut origins = Vec::new();
    for entry in entries {
        let wish = entry.map.get("hostRequirements").and_then(Value::as_object);
        // A layer without a wish still takes back the `false` of an earlier one.
        gpu = merge_gpu(gpu, wish.and_then(|wish| wish.get("gpu")).cloned());
        let Some(wish) = wish else { continue };
        if !wish.is_empty() {
            origins.push(entry.origin.clone());
        }
        cpus = cpus.max(number(wish.get("cpus")));
        memory = memory.max(wish.get("memory").map_or(0, bytes));
        storage = storage.max(wish.get("storage").map_or(0, bytes));
    }
    let wants_gpu = gpu.as_ref().is_some_and(crate::config::truthy);
    if cpus == 0.0 && memory == 0 && storage == 0 && !wants_gpu {
        return Row { value: None, origins: Vec::new() };
    }
    let mut map = Map::new();
    map.insert("cpus".to_owned(), whole(cpus));
    insert_size(&mut map, "memory", memory);
    insert_size(&mut map, "storage", storage);
    if let Some(gpu) = gpu {
        map.insert("gpu".to_owned(), gpu);
    }
    Row { value: Some(Value::Object(map)), origins }
}

fn merge_gpu(a: Option<Value>, b: Option<Value>) -> Option<Value> {
    let asked = |value: &Option<Value>| !matches!(value, None | Some(Value::Bool(false) | Value::Null));
    if !asked(&a) {
        return b;
    }
    if !asked(&b) {
        return a;
    }
    let (a, b) = (a?, b?);
    if a == "optional" && b == "optional" {
        return Some(a);
    }
    let mut map = Map::new();
    let cores = number(a.get("cores")).max(number(b.get("cores")));
    if cores != 0.0 {
        map.insert("cores".to_owned(), whole(cores));
    }
    let size = |value: &Value| value.get("memory").map_or(0, bytes);
    insert_size(&mut map, "memory", size(&a).max(size(&b)));
    Some(Value::Object(map))
}

fn insert_size(map: &mut Map<String, Value>, name: &str, size: u64) {
    if size > 0 {
        map.insert(name.to_owned(), Value::String(size.to_string()));
    }
}

fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Number(number)) => number.as_f64().unwrap_or(0.0),
        Some(Value::String(text)) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// A whole number prints without a fraction.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 && (0.0..1e15).contains(&value) {
        return json!(value as u64);
    }
    json!(value)
}
