//! `Step::Extensions`: settings and extensions of the configuration, once people are in, and a look at
//! what the image lacks.

use std::time::{Duration, Instant};

use devcontainer::VsCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use steading_core::Diagnostic;
use steading_core::failure::Failure;
use steading_core::pod::render::STATE;
use steading_core::pod::{PodSpec, VolumeRole};
use steading_core::runtime::{InstanceId, Observed, VolumeId};
use steading_core::service::{Service, ServiceName};
use steading_core::workspace::Change;

use super::hooks::command::{Command, End};
use super::journey::{Done, Journey};
use super::{hooks, populate, resolve};
use crate::account::Owner;
use crate::archive::{self, Item};
use crate::error::{In as _, Trouble};
use crate::inside::{self, Call};

/// So long all extensions together may take: a gallery that does not answer is given up then.
const PATIENCE: Duration = Duration::from_secs(600);
/// What is said of it.
const SILENT: &str = "the gallery did not answer in time";

/// What the IDE reads where it gets extensions from.
const GALLERY: &str = "EXTENSIONS_GALLERY";

pub(super) async fn run(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    let (Some(spec), Some(volume), Some(image)) =
        (journey.ws.spec.clone(), seen.volumes.get(&VolumeRole::State).cloned(), journey.ws.facts.image.clone())
    else {
        return Ok(Done::default());
    };
    let Some(instance) = seen.instance.clone() else { return Ok(Done::default()) };
    let mut done = Done::from(Change::Extensions(volume.clone()));
    let wishes = VsCode::of(&image.config);
    // The first time they came with the checkout already, before the IDE was opened; not so in a rebuild,
    // or where this volume alone was lost.
    let owner = populate::owner(journey, &spec).await?;
    seed(journey, owner).await?;
    for note in lacking(journey, &spec).await? {
        journey.log.write("container", &note.to_string());
        done.events.push(resolve::event(&note));
    }
    let (ids, unusable): (Vec<_>, Vec<_>) = wishes.extensions.into_iter().partition(|id| is_id(id));
    for written in unusable {
        let shown: String = written.chars().take(100).collect();
        done.changes.push(Change::Warned(not_installed(&shown, "it is not publisher.name", "")));
    }
    if let Some(ide) = spec.services.iter().find(|service| service.name == ServiceName::ide())
        && !ids.is_empty()
    {
        done.changes.extend(install(journey, (&spec, &instance, &volume), ide, &ids).await?);
    }
    Ok(done)
}

/// Puts the configuration's settings where VS Code reads those of the machine.
pub(super) async fn seed(journey: &Journey<'_>, owner: Owner) -> Result<(), Trouble> {
    let Some(image) = &journey.ws.facts.image else { return Ok(()) };
    let settings = VsCode::of(&image.config).settings;
    if settings.is_empty() {
        return Ok(());
    }
    let text = serde_json::to_vec_pretty(&Value::Object(settings)).unwrap_or_default();
    let items = [Item::Folder("ide/"), Item::Folder("ide/Machine/"), Item::File("ide/Machine/settings.json", &text)];
    let packed = archive::pack(&items, owner).map_err(|error| unpacked(&error))?;
    journey.context.runtime.upload(journey.id(), STATE, packed).await.in_step("extensions")
}

fn unpacked(error: &std::io::Error) -> Trouble {
    let message = format!("the settings could not be packed: {error}");
    Trouble::found("extensions", "settings-not-written", message, "", steading_core::Class::Transient)
}

/// What the image lacks that people will miss, each with what to add.
async fn lacking(journey: &Journey<'_>, spec: &PodSpec) -> Result<Vec<Diagnostic>, Trouble> {
    let words = ["look", "--user", &spec.remote_user];
    let told = inside::ask(journey.context.runtime.as_ref(), journey.id(), &words).await.in_step("extensions")?;
    Ok(told.map(|told| missing(&spec.main.image.to_string(), &spec.remote_user, &told)).unwrap_or_default())
}

fn missing(image: &str, user: &str, told: &Value) -> Vec<Diagnostic> {
    let tools = &told["tools"];
    let mut notes = Vec::new();
    let mut note = |code: &str, message: &str, hint: &str| {
        notes.push(Diagnostic::warning(image, code, message).hint(hint));
    };
    if tools.is_object() {
        if tools["sh"].is_null() {
            note(
                "image-without-shell",
                "the image has no shell: terminals and hooks cannot run",
                "base the image on one with /bin/sh, such as debian:bookworm",
            );
        }
        if tools["git"].is_null() {
            note(
                "image-without-git",
                "the image has no git: the repository is there, its history cannot be used",
                "add git to the image: RUN apt-get update && apt-get install -y git",
            );
        }
    }
    if told["user"]["name"].is_null() && told["user"].is_object() {
        note(
            "user-without-entry",
            &format!("user {user} has no entry in the image's /etc/passwd: it has no home folder and no name"),
            "add the user to the image: RUN useradd -m NAME",
        );
    }
    notes
}

/// Has the listed extensions installed, one after the other, all within one time. Each installer is run as hooks
/// are: one that a driver before us began is followed, and one whose time is up is ended.
async fn install(
    journey: &Journey<'_>,
    (spec, instance, volume): (&PodSpec, &InstanceId, &VolumeId),
    ide: &Service,
    ids: &[String],
) -> Result<Vec<Change>, Trouble> {
    let mut warnings = Vec::new();
    let began = Instant::now();
    for id in ids {
        let left = PATIENCE.saturating_sub(began.elapsed()).as_secs();
        if left == 0 {
            warnings.push(Change::Warned(not_installed(id, SILENT, "")));
            continue;
        }
        let key = key(volume, id);
        let mut options = Call::default().for_people(spec, &ide.folder).words(&["--timeout", &left.to_string()]);
        if let Some(gallery) = ide.env.get(GALLERY) {
            options = options.passing(GALLERY, gallery);
        }
        let command = Command {
            runtime: journey.context.runtime.clone(),
            store: journey.context.store.clone(),
            log: journey.log.clone(),
            id: journey.id(),
            source: hooks::source(instance, &key),
            key,
            stream: "ide".to_owned(),
            title: format!("Installing the extension {id}"),
            options,
            argv: commandline(ide, id),
            begins: true,
        };
        let ended = journey.turn.aside(command.follow(true)).await.in_step("extensions")?;
        let why = match ended.end {
            End::SUCCESS => continue,
            End::TimedOut => SILENT.to_owned(),
            End::Lost => "the installer was interrupted".to_owned(),
            End::Exit(exit) => format!("the installer ended with exit code {exit}"),
        };
        warnings.push(Change::Warned(not_installed(id, &why, &ended.last)));
    }
    Ok(warnings)
}

/// Under which the helper installs an extension into a volume once. Names may be longer than a key.
fn key(volume: &VolumeId, id: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("{} {id}", volume.0).as_bytes()));
    format!("extension.{}", &digest[..24])
}

/// The IDE's own command line, told to install one extension.
fn commandline(ide: &Service, id: &str) -> Vec<String> {
    let program = ide.command.iter().take(2).cloned();
    let folders = ide.command.windows(2).filter(|pair| pair[0] == "--user-data-dir" || pair[0] == "--extensions-dir");
    let install = ["--install-extension".to_owned(), id.to_owned()];
    program.chain(folders.flatten().cloned()).chain(install).collect()
}

fn not_installed(id: &str, why: &str, output: &str) -> Failure {
    let failure = Failure {
        step: "extensions".to_owned(),
        code: "extension-not-installed".to_owned(),
        message: format!("the extension {id} was not installed: {why}"),
        hint: Some("Check its name in the gallery that ide.gallery names, or install it in the IDE.".to_owned()),
        retryable: false,
        output: None,
    };
    failure.with_output(output)
}

/// `publisher.name` or `publisher.name@version`: nothing that could be an option or a path.
fn is_id(written: &str) -> bool {
    let (id, version) = written.split_once('@').map_or((written, None), |(id, version)| (id, Some(version)));
    let word = |text: &str, more: &[char]| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || more.contains(&c))
    };
    let has_parts = id.split_once('.').is_some_and(|(publisher, name)| word(publisher, &[]) && word(name, &['.']));
    has_parts && written.len() <= 200 && version.is_none_or(|version| word(version, &['.', '+']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_looks_like_an_option_or_a_path_is_an_extension() {
        for good in ["rust-lang.rust-analyzer", "a.b.c", "a.b@1.2.3-pre+4"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "a", ".a", "a.", "--x.y", "a.b c", "../a.vsix", "a.b@", "https://x.y/z.vsix"] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn what_an_image_lacks_comes_with_what_to_add() {
        let told = json!({"tools": {"git": null, "sh": null}, "user": {"name": null, "uid": 4711}});
        let notes = missing("busybox", "4711", &told);
        let codes: Vec<_> = notes.iter().map(|note| note.code.as_str()).collect();
        assert_eq!(codes, ["image-without-shell", "image-without-git", "user-without-entry"]);
        assert!(notes.iter().all(|note| note.hint.is_some()));
        let fine = json!({"tools": {"git": "/usr/bin/git", "sh": "/bin/sh"}, "user": {"name": "ada"}});
        assert_eq!(missing("debian", "ada", &fine), []);
    }
}
