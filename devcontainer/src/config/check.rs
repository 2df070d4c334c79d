//! Says what is unknown or has a form that cannot be used.

use serde_json::{Map, Value};

use super::vocabulary::{BUILD, Form, HOST, PORT, PROPERTIES};
use crate::{
    diagnostic::Diagnostic,
    jsonc::{Kind, Member, Node},
    mount::Mount,
    port::ForwardPort,
    scenario::Scenario,
    variables,
};

/// More findings than this about one file are not worth reading.
const MAX_FINDINGS: usize = 100;

pub(super) fn check(file: &str, text: &str, root: &Node, map: &Map<String, Value>) -> Vec<Diagnostic> {
    let mut checker = Checker::new(file, text);
    checker.members(root, PROPERTIES, "");
    if let Some(build) = root.member("build") {
        checker.members(&build.node, BUILD, "build.");
    }
    checker.variables(root);
    checker.combination(root, map);
    crate::feature::references(&mut checker, file, root);
    checker.findings
}

/// Compares a file with a vocabulary.
pub(crate) struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    findings: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    pub(crate) const fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, findings: Vec::new() }
    }

    pub(crate) fn findings(self) -> Vec<Diagnostic> {
        self.findings
    }

    /// Adds a finding about the bytes `start..end`.
    pub(crate) fn say(&mut self, finding: Diagnostic, start: usize, end: usize) {
        if self.findings.len() < MAX_FINDINGS {
            let span = crate::diagnostic::Span::locate(self.text, start, end);
            self.findings.push(finding.at(Some(span)));
        }
    }

    fn wrong(&mut self, node: &Node, name: &str, expected: &str) {
        let message = format!("\"{name}\" should be {expected}; what is written cannot be used");
        let finding = Diagnostic::warning(self.file, "wrong-type", message);
        self.say(finding, node.start, node.end);
    }

    /// Checks the members of an object; `prefix` stands before their names in messages.
    pub(crate) fn members(&mut self, object: &Node, known: &[(&str, Form)], prefix: &str) {
        for member in object.members() {
            let name = format!("{prefix}{}", short(&member.name));
            match known.iter().find(|(known, _)| *known == member.name) {
                Some((_, form)) => self.form(&member.node, *form, &name),
                None => self.unknown(member, known, &name),
            }
        }
    }

    fn unknown(&mut self, member: &Member, known: &[(&str, Form)], name: &str) {
        // Comparing names is the costly part, so it ends with what is shown.
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let mut finding = Diagnostic::warning(
            self.file,
            "unknown-property",
            format!("\"{name}\" is not a property of the specification and has no effect"),
        );
        let written = member.name.to_lowercase();
        // Long names cannot be near, and comparing them costs time.
        let near = (written.len() <= 40)
            .then(|| {
                known
                    .iter()
                    .map(|(known, _)| (strsim::damerau_levenshtein(&written, &known.to_lowercase()), *known))
                    .filter(|(distance, known)| *distance <= known.len() / 4 + 1)
                    .min_by_key(|(distance, _)| *distance)
            })
            .flatten();
        if let Some((_, known)) = near {
            finding = finding.hint(format!("did you mean \"{known}\"?"));
        }
        self.say(finding, member.start, member.end);
    }

    fn form(&mut self, node: &Node, form: Form, name: &str) {
        let value = || node.to_value();
        let is_text = |node: &Node| matches!(node.to_value(), Value::String(_));
        let is_object = node.to_object().is_some();
        let expected = match form {
            Form::Any => return,
            Form::Text => (!is_text(node)).then_some("a string"),
            Form::Flag => (!value().is_boolean()).then_some("true or false"),
            Form::Number => (!value().is_number()).then_some("a number"),
            Form::Size => {
                let size = value();
                let open = size.as_str().is_some_and(|text| text == "0" || text.contains("${"));
                (!open && crate::host::bytes(&size) == 0).then_some("a whole size in lower case such as \"4gb\"")
            }
            Form::Object => (!is_object).then_some("an object"),
            Form::Texts => return self.texts(node, name, "a list of strings"),
            Form::TextOrTexts if is_text(node) => return,
            Form::TextOrTexts => return self.texts(node, name, "a string or a list of strings"),
            Form::Environment | Form::NullableEnvironment => {
                return self.environment(node, name, form == Form::NullableEnvironment);
            }
            Form::Command => return self.command(node, name),
            Form::Mounts => return self.mounts(node, name),
            Form::Ports => return self.ports(node, name),
            Form::AppPort => return self.app_ports(node, name),
            Form::PortsAttributes if is_object => {
                for member in node.members() {
                    let name = format!("{name}.{}", short(&member.name));
                    self.form(&member.node, Form::PortAttributes, &name);
                }
                return;
            }
            Form::PortAttributes if is_object => {
                return self.members(node, PORT, &format!("{name}."));
            }
            Form::PortsAttributes | Form::PortAttributes => Some("an object"),
            Form::Host if is_object => return self.members(node, HOST, &format!("{name}.")),
            Form::Host => Some("an object"),
            Form::OneOf(words) => {
                if value().as_str().is_some_and(|v| words.contains(&v)) {
                    return;
                }
                return self.wrong(node, name, &format!("one of {}", words.join(", ")));
            }
        };
        if let Some(expected) = expected {
            self.wrong(node, name, expected);
        }
    }

    fn texts(&mut self, node: &Node, name: &str, expected: &str) {
        if !node.to_value().is_array() {
            return self.wrong(node, name, expected);
        }
        for element in node.elements() {
            if !element.to_value().is_string() {
                self.wrong(element, name, expected);
            }
        }
    }

    fn environment(&mut self, node: &Node, name: &str, nullable: bool) {
        if node.to_object().is_none() {
            return self.wrong(node, name, "an object of strings");
        }
        for member in node.members() {
            let value = member.node.to_value();
            if !(value.is_string() || nullable && value.is_null()) {
                let name = format!("{name}.{}", short(&member.name));
                self.wrong(&member.node, &name, if nullable { "a string or null" } else { "a string" });
            }
        }
    }

    fn command(&mut self, node: &Node, name: &str) {
        let single = |node: &Node| match node.to_value() {
            Value::String(_) => true,
            Value::Array(words) => words.iter().all(Value::is_string),
            _ => false,
        };
        if node.to_object().is_some() {
            for member in node.members() {
                if !single(&member.node) {
                    let name = format!("{name}.{}", short(&member.name));
                    self.wrong(&member.node, &name, "a string or a list of strings");
                }
            }
        } else if !single(node) {
            self.wrong(node, name, "a string, a list of strings or an object of them");
        }
    }

    fn mounts(&mut self, node: &Node, name: &str) {
        if !node.to_value().is_array() {
            return self.wrong(node, name, "a list of mounts");
        }
        for element in node.elements() {
            if let Err(error) = Mount::from_json(&element.to_value()) {
                let finding = Diagnostic::warning(self.file, "invalid-mount", error.to_string());
                self.say(finding, element.start, element.end);
            }
        }
    }

    fn ports(&mut self, node: &Node, name: &str) {
        if !node.to_value().is_array() {
            return self.wrong(node, name, "a list of ports");
        }
        for element in node.elements() {
            self.port(element, name);
        }
    }

    fn port(&mut self, element: &Node, name: &str) {
        let value = element.to_value();
        // A variable may become a port later.
        let open = value.as_str().is_some_and(|text| text.contains("${"));
        if !open && ForwardPort::from_json(&value).is_none() {
            let message = format!("\"{name}\" takes ports from 1 to 65535 or \"host:port\"");
            let finding = Diagnostic::warning(self.file, "invalid-port", message);
            self.say(finding, element.start, element.end);
        }
    }

    fn app_ports(&mut self, node: &Node, name: &str) {
        let elements = if node.to_value().is_array() { node.elements() } else { std::slice::from_ref(node) };
        for element in elements {
            if !element.to_value().is_string() {
                self.port(element, name);
            }
        }
    }

    /// Texts outside of `customizations`, where tools have variables of their own.
    fn variables(&mut self, node: &Node) {
        for element in node.elements() {
            self.variables(element);
        }
        for member in node.members() {
            if !matches!(member.name.as_str(), "customizations" | "settings") {
                self.variables(&member.node);
            }
        }
        for inner in mentioned(node) {
            self.variable(node, &inner);
        }
    }

    fn variable(&mut self, node: &Node, inner: &str) {
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let name = inner.split(':').next().unwrap_or_default();
        let whole = format!("${{{}}}", short(inner));
        if matches!(name, "localEnv" | "env" | "containerEnv") && !inner.contains(':') {
            let message = format!("\"{whole}\" names no environment variable");
            let finding = Diagnostic::error(self.file, "variable-without-name", message);
            return self.say(finding.hint(format!("write ${{{name}:NAME}}")), node.start, node.end);
        }
        // Commands have variables of the shell, so only what is nearly one of ours is reported.
        if variables::NAMES.contains(&name) || name.len() > 40 {
            return;
        }
        let near = variables::NAMES.iter().find(|known| {
            known.len() > 3 && strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase()) <= 2
        });
        if let Some(known) = near {
            let message = format!("\"{whole}\" is not a variable and stays as it is");
            let finding = Diagnostic::warning(self.file, "unknown-variable", message);
            self.say(finding.hint(format!("did you mean ${{{known}}}?")), node.start, node.end);
        }
    }

    fn combination(&mut self, root: &Node, map: &Map<String, Value>) {
        let scenario = Scenario::of(&crate::properties::Properties(map.clone()));
        if matches!(scenario, Scenario::None) {
            let finding = Diagnostic::new(
                crate::diagnostic::Severity::Info,
                self.file,
                "no-image",
                "the configuration names no image, Dockerfile or Compose file; a default image is used",
            );
            self.say(finding, root.start, root.start);
        }
        let unused: &[(&str, &str)] = match scenario {
            Scenario::Compose(_) => &[
                ("runArgs", "Compose files take its place"),
                ("appPort", "Compose files take its place"),
                ("workspaceMount", "Compose files take its place"),
            ],
            Scenario::Build(_) => &[
                ("image", "the Dockerfile is used"),
                ("dockerComposeFile", "the Dockerfile is used"),
                ("service", "there is no Compose file in use"),
                ("runServices", "there is no Compose file in use"),
            ],
            Scenario::Image(_) => &[
                ("dockerComposeFile", "the image is used"),
                ("service", "there is no Compose file in use"),
                ("runServices", "there is no Compose file in use"),
            ],
            Scenario::None => &[],
        };
        for (name, why) in unused {
            if let Some(member) = root.member(name) {
                let message = format!("\"{name}\" has no effect here: {why}");
                let finding = Diagnostic::warning(self.file, "unused-property", message);
                self.say(finding, member.start, member.end);
            }
        }
    }
}

/// A name from a stranger, short enough for a message.
pub(crate) fn short(name: &str) -> String {
    name.chars().take(60).collect()
}

fn mentioned(node: &Node) -> std::collections::BTreeSet<String> {
    match &node.kind {
        Kind::Plain(value) => variables::mentioned(value),
        Kind::Array(_) | Kind::Object(_) => Default::default(),
    }
}
