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

#[test]
fn every_operation_says_how_it_may_fail() {
    let document: serde_json::Value = serde_json::from_str(&steading_api::spec::document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let told = operation["responses"].as_object().unwrap();
            if operation["security"].is_null() {
                assert!(path.starts_with("/health") || path == "/version", "{method} {path} asks for no credential");
                continue;
            }
            for status in ["400", "401", "403", "404", "405", "409", "413", "415", "422", "500", "503"] {
                assert!(told.contains_key(status), "{method} {path} does not mention {status}");
            }
        }
    }
    assert!(document["paths"]["/workspaces/{name}/terminal"]["get"]["responses"]["101"].is_object());
}
