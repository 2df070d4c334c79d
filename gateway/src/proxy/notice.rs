//! What is said when there is no answer to pass on. Pure: what is said depends on the record and the error.

use http::StatusCode;
use steading_core::routes::Route;
use steading_core::runtime::RuntimeError;
use steading_core::{Desired, Fault as _, Phase};

use super::forward::Trouble;

/// What is said, to people and programs alike.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stable, kebab-case.
    pub code: String,
    /// The page's title.
    pub title: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Output that explains it.
    pub output: Option<String>,
    /// Where to go from here: address and text.
    pub link: Option<(String, &'static str)>,
    /// Seconds before it is worth asking again.
    pub retry_after: Option<u32>,
    /// While the workspace is in this state the page looks again by itself.
    pub watches: Option<State>,
    /// How far the workspace is, for those who may know.
    pub phase: Option<Phase>,
}

/// What a workspace's record means to somebody at its door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its container should answer.
    Ready,
    /// It will be ready by itself.
    Starting,
    /// Somebody has to start it.
    Stopped,
    /// Somebody has to mend something.
    Failed,
    /// There is nothing any more.
    Gone,
}

impl State {
    /// What the record says.
    pub fn of(route: &Route) -> Self {
        match (route.phase, route.desired) {
            (_, Desired::Deleted) | (Phase::Deleting | Phase::Deleted, _) => Self::Gone,
            (Phase::Failed, _) => Self::Failed,
            (_, Desired::Stopped) => Self::Stopped,
            (Phase::Running, Desired::Running) => Self::Ready,
            // A rebuild: the container before it is in use until the new one takes its place.
            (Phase::Pending | Phase::Resolving | Phase::Building, Desired::Running) if route.ide_port.is_some() => {
                Self::Ready
            }
            (_, Desired::Running) => Self::Starting,
        }
    }

    /// The word for it in `/.steading/state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

impl Notice {
    /// A notice that says no more than that.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            title: title.to_owned(),
            message: message.into(),
            hint: None,
            output: None,
            link: None,
            retry_after: None,
            watches: None,
            phase: None,
        }
    }

    /// And what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    const fn again_in(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The one answer for what does not exist and for what is not theirs.
    pub fn hidden() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Nothing here", "There is nothing at this address.")
            .with_hint("Check the address. If the workspace is somebody else's, ask them to share the port.")
    }

    /// Not signed in, and not a page that could be sent to sign in.
    pub fn sign_in() -> Self {
        let message = "This needs somebody who is signed in.";
        Self::new(StatusCode::UNAUTHORIZED, "sign-in-required", "Sign in first", message)
            .with_hint("Open the address in a browser to sign in.")
    }

    /// Another site's page tried to act here.
    pub fn foreign() -> Self {
        let message = "A page of another site may not do this.";
        Self::new(StatusCode::FORBIDDEN, "cross-site-refused", "Refused", message)
            .with_hint("Open the address itself, or make the port public if other sites should use it.")
    }

    /// The entry ticket does not work (any more).
    pub fn ticket(enter: String) -> Self {
        let message = "This way in was used before or has expired.";
        let mut notice = Self::new(StatusCode::FORBIDDEN, "ticket-invalid", "Once more, please", message)
            .with_hint("Open the workspace again from the address without a ticket.");
        notice.link = Some((enter, "Open the workspace"));
        notice
    }

    /// The request itself makes no sense.
    pub fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", message)
            .with_hint("Ask for a path of the workspace with an ordinary method.")
    }

    /// The database does not answer.
    pub fn database() -> Self {
        let message = "Steading cannot look this up right now.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-unavailable", "One moment", message)
            .with_hint("Its database does not answer. Try again in a moment.")
            .again_in(2)
    }

    /// All that a guest at a shared port is told of a workspace that is not ready.
    fn unavailable() -> Self {
        let message = "The workspace behind this address is not running right now.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "workspace-unavailable", "Not running", message)
            .with_hint("Ask its owner to start it.")
    }

    /// What a workspace's state calls for; `None` if it is ready. Only who may enter is told the reasons.
    /// `start` is where it can be started.
    pub fn of_state(route: &Route, is_inside: bool, control: &str, start: impl FnOnce() -> String) -> Option<Self> {
        let slug = &route.slug;
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let mut notice = match State::of(route) {
            State::Ready => return None,
            State::Gone => return Some(Self::hidden()),
            _ if !is_inside => return Some(Self::unavailable()),
            State::Starting => return Some(Self::starting(route, progress(route.phase), control)),
            State::Stopped => {
                let message = format!("The workspace {slug} is stopped. Its files are kept.");
                let mut notice = Self::new(unavailable, "workspace-stopped", "This workspace is stopped", message)
                    .with_hint("Once it is started, this page goes on by itself.");
                notice.link = Some((start(), "Start it"));
                notice.watches = Some(State::Stopped);
                notice
            }
            State::Failed => {
                let failure = route.failure.as_ref();
                let message = failure.map_or("It could not be started.", |f| &f.message);
                let mut notice =
                    Self::new(unavailable, "workspace-failed", "This workspace could not be started", message);
                notice.hint = failure.and_then(|f| f.hint.clone());
                notice.output = failure.and_then(|f| f.output.clone());
                notice.link = Some((format!("{control}/workspaces/{slug}"), "See what happened"));
                notice
            }
        };
        notice.phase = Some(route.phase);
        Some(notice)
    }

    /// It will be there in a moment.
    pub fn starting(route: &Route, message: &str, control: &str) -> Self {
        let slug = &route.slug;
        let title = format!("{slug} is waking up");
        let mut notice = Self::new(StatusCode::SERVICE_UNAVAILABLE, "workspace-starting", &title, message)
            .with_hint("This page goes on by itself.")
            .again_in(1);
        notice.link = Some((format!("{control}/workspaces/{slug}"), "Watch the log"));
        notice.watches = Some(State::Starting);
        notice.phase = Some(route.phase);
        notice
    }

    /// The record says ready, and still there is no answer. `port` is the one asked for; none is the editor.
    pub fn of_trouble(trouble: &Trouble, route: &Route, port: Option<u16>, control: &str) -> Self {
        match (trouble, port) {
            (Trouble::Dial(RuntimeError::Gone), _) => {
                Self::starting(route, "Its container is not there. Steading is looking after it.", control)
            }
            (Trouble::Dial(RuntimeError::NoListener(_)) | Trouble::Broken(_) | Trouble::Unasked, None) => {
                Self::starting(route, "The editor is about to answer.", control)
            }
            (Trouble::Dial(RuntimeError::NoListener(_)), Some(port)) => {
                let title = format!("Nothing listens on port {port}");
                let message = format!("No program in the workspace {} listens on port {port}.", route.slug);
                Self::new(StatusCode::BAD_GATEWAY, "no-listener", &title, message).with_hint(format!(
                    "Start the program in the workspace's terminal, on port {port}, and load this again."
                ))
            }
            (Trouble::Broken(_) | Trouble::Unasked, Some(port)) => {
                let message = format!("The program on port {port} gave no proper HTTP answer.");
                Self::new(StatusCode::BAD_GATEWAY, "bad-answer", "No proper answer", message)
                    .with_hint("See its output in the workspace's terminal. Only HTTP and WebSockets pass here.")
            }
            (Trouble::Slow, _) => {
                let message = "The workspace did not take the connection in time.";
                Self::new(StatusCode::GATEWAY_TIMEOUT, "no-answer", "No answer in time", message)
                    .with_hint("It may be very busy. Load this again in a moment.")
                    .again_in(5)
            }
            (Trouble::Dial(error), _) => {
                let mut notice = Self::new(
                    StatusCode::BAD_GATEWAY,
                    error.code(),
                    "The workspace cannot be reached",
                    format!("Steading cannot reach the workspace: {error}."),
                );
                notice.hint = error.hint();
                notice.retry_after = matches!(error, RuntimeError::Unreachable(_)).then_some(5);
                notice
            }
        }
    }
}

/// What is going on, for somebody who waits.
pub const fn progress(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "It is next in line.",
        Phase::Resolving => "Reading the repository …",
        Phase::Building => "Building or fetching its image …",
        Phase::Starting => "Starting its container …",
        Phase::Initializing => "Preparing its files and tools …",
        Phase::Stopping => "Finishing before it starts again …",
        _ => "Starting …",
    }
}
