//! The document in the repository is the one that the server prints.

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../frontend/openapi.json");

#[test]
fn the_document_is_the_one_in_the_repository() {
    let printed = steading_api::spec::document();
    if std::env::var_os("STEADING_UPDATE").is_some() {
        std::fs::write(FILE, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(printed.trim() == kept.trim(), "frontend/openapi.json is out of date: run script/openapi");
}

#[test]
fn every_operation_is_named_by_verb_and_noun() {
    let document: serde_json::Value = serde_json::from_str(&steading_api::spec::document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(id.contains('_') && id == id.to_lowercase(), "{method} {path} is named {id}");
            assert!(operation["summary"].is_string(), "{method} {path} does not say what it does");
        }
    }
}
