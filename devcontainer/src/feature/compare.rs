//! When two mentions mean the same Feature, and which of two goes first if nothing else decides.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{Oci, Reference, collate::compare as collate, graph::Node};

/// Whether two mentions are one installation: the same Feature with the same options.
pub(super) fn same(a: &Node<'_>, b: &Node<'_>) -> bool {
    kind(a) == kind(b) && compare(a, b).is_eq()
}

/// Whether a Feature is the one that another wants before itself; neither version nor options matter, and
/// what is wanted may be called by an old name.
pub(super) fn satisfies(node: &Node<'_>, wanted: &Node<'_>) -> bool {
    match (&node.source.reference, &wanted.source.reference) {
        (Reference::Oci(oci), Reference::Oci(other)) => {
            let aliases = wanted.aliases.as_deref().unwrap_or_default();
            let prefix = || format!("{}/{}", other.registry, other.namespace);
            oci.resource == other.resource
                || aliases.iter().any(|alias| format!("{}/{alias}", prefix()) == oci.resource)
        }
        (Reference::Local(local), Reference::Local(other)) => local.path == other.path,
        (Reference::Tarball(tarball), Reference::Tarball(other)) => tarball.url == other.url,
        (Reference::Release(_), Reference::Release(_)) => unversioned(node) == unversioned(wanted),
        _ => false,
    }
}

/// The order of two Features that could be installed at the same time: by kind as written, then by
/// where they are, id, tag, options and digest.
///
/// Tags compare as texts, so 10 goes before 2: the reference does so, whatever versions mean.
pub(super) fn compare(a: &Node<'_>, b: &Node<'_>) -> Ordering {
    match (&a.source.reference, &b.source.reference) {
        (Reference::Oci(left), Reference::Oci(right)) => artifacts(a, left, b, right),
        (Reference::Local(left), Reference::Local(right)) => {
            collate(&left.path, &right.path).then_with(|| options(&a.options, &b.options))
        }
        (Reference::Tarball(left), Reference::Tarball(right)) => {
            collate(&left.url, &right.url).then_with(|| options(&a.options, &b.options))
        }
        (Reference::Release(_), Reference::Release(_)) => {
            collate(unversioned(a), unversioned(b)).then_with(|| options(&a.options, &b.options))
        }
        _ => collate(&a.id, &b.id),
    }
}

const fn kind(node: &Node<'_>) -> u8 {
    match node.source.reference {
        Reference::Oci(_) => 0,
        Reference::Tarball(_) => 1,
        Reference::Local(_) => 2,
        Reference::Release(_) => 3,
    }
}

fn unversioned<'a>(node: &'a Node<'_>) -> &'a str {
    node.id.split('@').next().unwrap_or_default()
}

fn artifacts(a: &Node<'_>, left: &Oci, b: &Node<'_>, right: &Oci) -> Ordering {
    let (first, second) = (a.source.digest, b.source.digest);
    let by_options = || options(&a.options, &b.options);
    if first == second && by_options().is_eq() {
        return Ordering::Equal;
    }
    let home = |oci: &Oci| format!("{}/{}", oci.registry, oci.namespace);
    let by_home = collate(&home(left), &home(right));
    if home(left) != home(right) {
        return by_home;
    }
    // A Feature that says to be called otherwise may share no name with itself, and is compared on.
    let by_id = collate(&left.id, &right.id);
    if by_id.is_ne() && !names(a, left).iter().any(|name| names(b, right).contains(name)) {
        return by_id;
    }
    if let (Some(tag), Some(other)) = (&left.tag, &right.tag)
        && tag != other
    {
        return collate(tag, other);
    }
    by_options().then_with(|| collate(first.unwrap_or_default(), second.unwrap_or_default()))
}

fn names<'a>(node: &'a Node<'_>, oci: &'a Oci) -> Vec<&'a str> {
    match &node.aliases {
        Some(aliases) => aliases.iter().map(String::as_str).collect(),
        None => vec![&oci.id],
    }
}

/// Compares options: fewer of them go first, then names, then values. Values that are neither text nor
/// boolean are all the same, as in the reference.
fn options(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => collate(a, b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null | Value::Array(_) | Value::Object(_), Value::Null | Value::Array(_) | Value::Object(_)) => {
            // Most differ in number, which costs nothing to see.
            count(a).cmp(&count(b)).then_with(|| {
                let (mut a, mut b) = (entries(a), entries(b));
                a.sort_by(|(a, _), (b, _)| a.cmp(b));
                b.sort_by(|(a, _), (b, _)| a.cmp(b));
                a.iter().zip(&b).map(entry).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            })
        }
        _ => collate(type_name(a), type_name(b)),
    }
}

type Entry<'a> = (Cow<'a, str>, &'a Value);

fn entry(((name, value), (other_name, other)): (&Entry<'_>, &Entry<'_>)) -> Ordering {
    if name != other_name {
        return collate(name, other_name);
    }
    match (value, other) {
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => options(value, other),
        _ => Ordering::Equal,
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    }
}

fn entries(value: &Value) -> Vec<Entry<'_>> {
    match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.as_str().into(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string().into(), value)).collect(),
        _ => Vec::new(),
    }
}

/// The name of a value's type in JavaScript, which is what decides between different ones.
const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Null | Value::Array(_) | Value::Object(_) => "object",
    }
}
