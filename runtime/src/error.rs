//! What the engine's errors mean for the caller. Nobody else reads error texts.

use bollard::errors::Error;
use steading_core::fault::Class;
use steading_core::image::ImageRef;
use steading_core::runtime::RuntimeError;

/// The status code that the engine answered with, if it answered.
pub fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the engine said, or what went wrong on the way to it.
pub fn message(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Whether the thing that the call was about is not there.
pub fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Whether the call was about something that is in another state, or under way already.
pub fn is_conflict(error: &Error) -> bool {
    status(error) == Some(409)
}

/// Whether a container's name is taken.
pub fn is_name_taken(error: &Error) -> bool {
    is_conflict(error) && message(error).contains("already in use")
}

/// Whether the network that a container belongs to is gone. The engine words it in several ways.
pub fn is_network_gone(error: &Error) -> bool {
    let text = message(error);
    text.contains("network") && (text.contains("not found") || text.contains("does not exist"))
}

/// Whether a create call named an image that is not there.
pub fn is_image_gone(error: &Error) -> bool {
    is_missing(error) && message(error).to_ascii_lowercase().contains("no such image")
}

/// Whether an archive call named a path that is not there, in a container that is.
pub fn is_path_missing(error: &Error) -> bool {
    let text = message(error);
    is_missing(error) && !text.contains("No such container")
}

/// Whether an exec could not start because the program is not there or cannot be run.
pub fn is_no_program(text: &str) -> bool {
    text.contains("exec failed")
        && ["executable file not found", "no such file or directory", "permission denied", "not a directory"]
            .iter()
            .any(|cause| text.contains(cause))
}

/// Any other error of the engine.
pub fn engine(error: Error) -> RuntimeError {
    match &error {
        Error::DockerResponseServerError { status_code, .. } => {
            let text = message(&error);
            if is_full(&text) {
                RuntimeError::DiskFull(text)
            } else if *status_code >= 500 && is_hiccup(&text) {
                RuntimeError::Unreachable(Box::new(error))
            } else {
                RuntimeError::Refused(text)
            }
        }
        Error::DockerStreamError { error: text } if is_full(text) => RuntimeError::DiskFull(text.trim().to_owned()),
        Error::DockerStreamError { error: text } => RuntimeError::Refused(text.trim().to_owned()),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::UnsupportedURISchemeError { .. } => {
            RuntimeError::Refused(error.to_string())
        }
        _ => RuntimeError::Unreachable(Box::new(error)),
    }
}

/// An error about the container of a workspace, where absence and standstill mean [`RuntimeError::Gone`].
pub fn container(error: Error) -> RuntimeError {
    let text = message(&error);
    let still = text.contains("is not running") || text.contains("is paused") || text.contains("No such container");
    if still && status(&error).is_some() {
        return RuntimeError::Gone;
    }
    engine(error)
}

/// An error of a start, where a container that somebody removes meanwhile is [`RuntimeError::Gone`].
pub fn start(error: Error) -> RuntimeError {
    let text = message(&error);
    if text.contains("No such container") || text.contains("marked for removal") {
        return RuntimeError::Gone;
    }
    engine(error)
}

/// An error of a pull. Registries say "denied" for private and for absent images alike.
pub fn pull(image: &ImageRef, error: Error) -> RuntimeError {
    let reason = message(&error);
    if is_full(&reason) {
        return RuntimeError::DiskFull(reason);
    }
    if status(&error).is_none() && !matches!(error, Error::DockerStreamError { .. }) {
        return engine(error);
    }
    let text = reason.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let class = if any(&["not found", "manifest unknown", "invalid reference", "no matching manifest"])
        && !any(&["lookup", "no such host"])
    {
        Class::Permanent
    } else if any(&["denied", "unauthorized", "authentication required"]) {
        Class::Denied
    } else {
        Class::Transient
    };
    RuntimeError::Pull { image: image.clone(), reason, class }
}

/// Whether the engine's disk is full, in the words of the engine or of a program of the system.
pub fn is_full(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("no space left on device") || text.contains("disk quota exceeded")
}

/// Troubles of the engine with its own parts, which pass.
fn is_hiccup(text: &str) -> bool {
    ["context deadline exceeded", "context canceled", "connection refused", "transport is closing", "unavailable"]
        .iter()
        .any(|cause| text.contains(cause))
}

#[cfg(test)]
mod tests {
    use steading_core::fault::Fault as _;

    use super::*;

    fn said(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn a_full_disk_is_recognised_wherever_it_shows() {
        let text =
            "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device";
        assert_eq!(engine(said(500, text)).code(), "disk-full");
        let stream = Error::DockerStreamError { error: text.to_owned() };
        assert_eq!(pull(&ImageRef::new("a"), stream).code(), "disk-full");
    }

    #[test]
    fn an_engine_that_is_away_can_be_tried_again() {
        let away = Error::IOError { err: std::io::Error::from(std::io::ErrorKind::ConnectionRefused) };
        assert_eq!(engine(away).class(), Class::Transient);
        assert_eq!(engine(said(500, "context deadline exceeded")).class(), Class::Transient);
        assert_eq!(engine(said(400, "invalid mount config")).class(), Class::Permanent);
    }

    #[test]
    fn a_stopped_container_is_gone() {
        assert_eq!(container(said(409, "Container 0a is not running")).code(), "container-gone");
        assert_eq!(container(said(404, "No such container: 0a")).code(), "container-gone");
        assert_eq!(container(said(500, "something else")).code(), "engine-refused");
    }

    #[test]
    fn a_container_that_is_removed_before_its_start_is_gone() {
        assert_eq!(start(said(404, "No such container: 0a")).code(), "container-gone");
        let going = "container is marked for removal and cannot be started";
        assert_eq!(start(said(409, going)).code(), "container-gone");
        assert_eq!(start(said(400, "exec: \"x\": executable file not found")).code(), "engine-refused");
    }

    #[test]
    fn pulls_fail_for_now_or_for_good() {
        let class =
            |text: &str| pull(&ImageRef::new("x.test/a"), Error::DockerStreamError { error: text.to_owned() }).class();
        assert_eq!(class("manifest for x.test/a:1 not found: manifest unknown"), Class::Permanent);
        assert_eq!(class("Get https://x.test/v2/: dial tcp: lookup x.test: no such host"), Class::Transient);
        assert_eq!(class("pull access denied for a, repository does not exist or may require login"), Class::Denied);
        assert_eq!(class("toomanyrequests: slow down"), Class::Transient);
    }
}
