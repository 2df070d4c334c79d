//! `Step::Open`: have every service answer.

use std::time::{Duration, Instant};

use chrono::Utc;
use steading_core::Class;
use steading_core::pod::inside::{BINARY, GATE, Inside, VARIABLE};
use steading_core::runtime::{Observed, RuntimeError};
use steading_core::service::{Service, ServiceName};

use super::journey::{Done, Journey};
use crate::error::{In as _, Trouble};
use crate::probe::{self, Answer};
use crate::{inside, output};

/// The pause between two looks; a boot of the IDE takes about 30 of them.
const PAUSE: Duration = Duration::from_millis(5);
/// A service that does not listen so long after its container started is started by us: it ended, or
/// never began. Doing so while it runs does nothing.
const ALONE: Duration = Duration::from_secs(3);
/// A service that does not answer after this time will not.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    let Some(spec) = journey.ws.spec.clone() else { return Ok(Done::default()) };
    let told: Inside = spec.main.env.get(VARIABLE).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for service in spec.services.iter().filter(|service| seen.services.get(&service.name) != Some(&true)) {
        wait_for(journey, service, told.gate.is_some(), seen).await?;
    }
    if journey.ws.phase != steading_core::Phase::Running {
        let url = journey.context.config.public_url().ide(&journey.ws.slug);
        journey.log.write("ide", &format!("Ready at {url}"));
    }
    journey.all_answered(seen);
    Ok(Done::default())
}

async fn wait_for(journey: &Journey<'_>, service: &Service, gated: bool, seen: &Observed) -> Result<(), Trouble> {
    let (runtime, id) = (journey.context.runtime.as_ref(), journey.id());
    let age = seen.started_at.and_then(|at| (Utc::now() - at).to_std().ok()).unwrap_or_default();
    let began = Instant::now();
    let mut start_at = if gated { Duration::ZERO } else { ALONE.saturating_sub(age) };
    let mut unfit = None;
    loop {
        match probe::ask(runtime, id, service).await.in_step("open")? {
            Answer::Ready => return Ok(()),
            Answer::Silent => {}
            Answer::Unfit(said) => unfit = Some(said),
        }
        let waited = began.elapsed();
        if waited >= PATIENCE {
            return Err(silent(journey, service, unfit).await);
        }
        if waited >= start_at {
            start(journey, service).await?;
            // Once more, should it end on its way up.
            start_at = waited + PATIENCE / 3;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens the gate and starts the service; harmless while it runs.
async fn start(journey: &Journey<'_>, service: &Service) -> Result<(), Trouble> {
    let words = ["service", "start", &service.name.0, "--open-gate"].map(str::to_owned).to_vec();
    let runtime = journey.context.runtime.as_ref();
    let process = inside::call(runtime, journey.id(), words).await.in_step("open")?;
    let ended = output::follow(process, None).await.in_step("open")?;
    if ended.exit == 0 {
        return Ok(());
    }
    tracing::debug!(exit = ended.exit, gate = GATE, helper = BINARY, "a service did not start");
    let message = format!("{} did not start", name_of(service));
    let hint = "Check that remoteUser is a user of the image, then rebuild.";
    Err(Trouble::found("open", "service-not-started", message, hint, Class::Permanent).with_output(&ended.last))
}

async fn silent(journey: &Journey<'_>, service: &Service, unfit: Option<String>) -> Trouble {
    let words = ["service", "log", &service.name.0].map(str::to_owned).to_vec();
    let runtime = journey.context.runtime.as_ref();
    let log = async {
        let process = inside::call(runtime, journey.id(), words).await?;
        Ok::<_, RuntimeError>(output::follow(process, None).await?.last)
    };
    let log = log.await.unwrap_or_default();
    let said = unfit.map(|said| format!("; it says \"{said}\"")).unwrap_or_default();
    let message = format!("{} does not answer after {} s{said}", name_of(service), PATIENCE.as_secs());
    let hint = "Its last output shows why; an image without room in /tmp or with little memory is the usual reason.";
    Trouble::found("open", "service-not-ready", message, hint, Class::Transient).with_output(&log)
}

fn name_of(service: &Service) -> String {
    if service.name == ServiceName::ide() { "the IDE".to_owned() } else { format!("the service {}", service.name.0) }
}
