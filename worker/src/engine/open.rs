//! `Step::Open`: have every service answer.

use std::time::{Duration, Instant};

use chrono::Utc;
use steading_core::Class;
use steading_core::failure::Failure;
use steading_core::pod::inside::{BINARY, GATE, Inside, VARIABLE};
use steading_core::runtime::{Observed, RuntimeError};
use steading_core::service::{Service, ServiceName};
use steading_core::workspace::Change;

use super::journey::{Done, Journey};
use super::retry;
use crate::error::{In as _, Trouble};
use crate::inside::{self, Call};
use crate::output;
use crate::probe::{self, Answer};

/// The pause between two looks; a boot of the IDE takes about 30 of them.
const PAUSE: Duration = Duration::from_millis(5);
/// The code of a service that does not answer.
const SILENT: &str = "service-not-ready";
/// A service that does not listen so long after its container started is started by us: it ended, or
/// never began. Doing so while it runs does nothing.
const ALONE: Duration = Duration::from_secs(3);

pub(super) async fn run(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    let Some(spec) = journey.ws.spec.clone() else { return Ok(Done::default()) };
    let told: Inside = spec.main.env.get(VARIABLE).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for service in spec.services.iter().filter(|service| seen.services.get(&service.name) != Some(&true)) {
        let answer = wait_for(journey, service, told.gate.is_some(), seen).await?;
        if answer != Answer::Ready {
            let trouble = silent(journey, service, answer).await;
            if journey.ws.facts.were_open(seen) && retry::restarts(silences(journey)) {
                restart(journey, service).await?;
            }
            return Err(trouble);
        }
    }
    if journey.ws.phase != steading_core::Phase::Running {
        let url = journey.context.config.public_url().ide(&journey.ws.slug);
        journey.log.write("ide", &format!("Ready at {url}"));
    }
    journey.all_answered(seen);
    let opened = seen.instance.clone().filter(|_| !journey.ws.facts.were_open(seen));
    Ok(opened.map_or_else(Done::default, |instance| Done::from(Change::Opened(instance))))
}

/// How often in a row a service was silent, this time included.
fn silences(journey: &Journey<'_>) -> u32 {
    retry::attempts(journey.ws.retry.as_ref(), "open", SILENT)
}

fn patience(journey: &Journey<'_>) -> Duration {
    Duration::from_secs(journey.context.config.worker.open_seconds.max(1).into())
}

/// Waits until a service answers as one that can be used; its last answer, should that take too long.
async fn wait_for(journey: &Journey<'_>, service: &Service, gated: bool, seen: &Observed) -> Result<Answer, Trouble> {
    let patience = patience(journey);
    let (runtime, id) = (journey.context.runtime.as_ref(), journey.id());
    let age = seen.started_at.and_then(|at| (Utc::now() - at).to_std().ok()).unwrap_or_default();
    let began = Instant::now();
    let mut start_at = if gated { Duration::ZERO } else { ALONE.saturating_sub(age) };
    let mut last = Answer::Silent;
    loop {
        match probe::ask(runtime, id, service).await.in_step("open")? {
            Answer::Ready => return Ok(Answer::Ready),
            Answer::Silent => {}
            unfit @ Answer::Unfit(_) => last = unfit,
        }
        let waited = began.elapsed();
        if waited >= patience {
            return Ok(last);
        }
        if waited >= start_at {
            start(journey, service).await?;
            // Once more, should it end on its way up.
            start_at = waited + patience / 3;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens the gate and starts the service; harmless while it runs.
async fn start(journey: &Journey<'_>, service: &Service) -> Result<(), Trouble> {
    let call = Call::new(&["service", "start", &service.name.0, "--open-gate"]);
    let runtime = journey.context.runtime.as_ref();
    let process = inside::call(runtime, journey.id(), call).await.in_step("open")?;
    let ended = output::follow(process, None).await.in_step("open")?;
    if ended.exit == 0 {
        return Ok(());
    }
    tracing::debug!(exit = ended.exit, gate = GATE, helper = BINARY, "a service did not start");
    let message = format!("{} did not start", name_of(service));
    let hint = "Check that remoteUser is a user of the image, then rebuild.";
    Err(Trouble::found("open", "service-not-started", message, hint, Class::Permanent).with_output(&ended.last))
}

/// Ends a service that may hang and starts it anew. People lose the terminals they had in it, so it is told.
async fn restart(journey: &mut Journey<'_>, service: &Service) -> Result<(), Trouble> {
    let runtime = journey.context.runtime.as_ref();
    let call = Call::new(&["service", "stop", &service.name.0]);
    let process = inside::call(runtime, journey.id(), call).await.in_step("open")?;
    output::follow(process, None).await.in_step("open")?;
    start(journey, service).await?;
    let warning = Failure {
        step: "open".to_owned(),
        code: "service-restarted".to_owned(),
        message: format!("{} did not answer and was started anew", name_of(service)),
        hint: Some(
            "Its terminals have ended; files that were saved are there. More memory may keep it alive.".to_owned(),
        ),
        retryable: false,
        output: None,
    };
    journey.log.write("ide", &warning.message);
    Ok(journey.record(vec![Change::Warned(warning)], Vec::new()).await?)
}

async fn silent(journey: &Journey<'_>, service: &Service, last: Answer) -> Trouble {
    let call = Call::new(&["service", "log", &service.name.0]);
    let runtime = journey.context.runtime.as_ref();
    let log = async {
        let process = inside::call(runtime, journey.id(), call).await?;
        Ok::<_, RuntimeError>(output::follow(process, None).await?.last)
    };
    let log = log.await.unwrap_or_default();
    let said = match last {
        Answer::Unfit(said) => format!("; it says \"{said}\""),
        Answer::Ready | Answer::Silent => String::new(),
    };
    let message = format!("{} does not answer after {} s{said}", name_of(service), patience(journey).as_secs());
    let hint = "Its last output shows why; an image without room in /tmp or with little memory is the usual reason.";
    Trouble::found("open", SILENT, message, hint, Class::Transient).with_output(&log)
}

fn name_of(service: &Service) -> String {
    if service.name == ServiceName::ide() { "the IDE".to_owned() } else { format!("the service {}", service.name.0) }
}
