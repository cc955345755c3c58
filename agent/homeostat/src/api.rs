//! The API and the page.
//!
//! Answers what people and scripts ask of a running agent, and takes what operators say. Does not decide and holds no state of
//! its own: everything is read from the last view, the data plane or the journal, so no question can make a tick wait.

mod fence;
mod status;

pub(crate) use fence::OPERATOR_HEADER;
pub(crate) use status::{GoalStatus, ServiceStatus, Status};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use homeostat_adapters::{JournalError, JournalReader, SystemClock};
use homeostat_core::{ActionId, OperatorCommand, Regime, TickNumber, TickRecord, Timestamp, TrialStage};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::cli::Subject;
use crate::command::with_causes;
use crate::data_plane::{Aggregates, DataPlane};
use crate::doors::OpenDoors;
use crate::goals::GoalsReport;
use crate::journal_at_rest::{explain, newest};
use crate::view::LoopView;
use status::AgentStatus;

/// What an operator said takes effect at the next tick, a second later at most; three leave room for a busy machine.
const TAKES_EFFECT_WITHIN: Duration = Duration::from_secs(3);

/// A last tick older than this means that the loop is not running.
const TICK_AGE_MAX_MS: u64 = 10_000;

/// Records in one answer when nobody says how many.
const RECORDS_DEFAULT: usize = 50;

/// Records in one answer at most: the journal's own limit.
const RECORDS_MAX: usize = 10_000;

/// What the API reads and whom it tells.
#[derive(Clone)]
pub(crate) struct ApiState {
    /// How the loop stands.
    pub(crate) views: watch::Receiver<Arc<LoopView>>,
    /// Where operators are heard.
    pub(crate) operator: mpsc::Sender<OperatorCommand>,
    /// The data plane.
    pub(crate) data_plane: Arc<DataPlane>,
    /// The journal.
    pub(crate) journal: JournalReader,
    /// The clock.
    pub(crate) clock: SystemClock,
    /// Who answers.
    pub(crate) identity: Arc<Identity>,
}

/// What does not change while the agent runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The manifest's name.
    pub(crate) name: String,
    /// The manifest's source.
    pub(crate) manifest: String,
    /// How often the agent was started on this journal.
    pub(crate) life: u64,
    /// Where the journal lives.
    pub(crate) state_dir: PathBuf,
    /// When the agent was started.
    pub(crate) started: Timestamp,
    /// Where it listens.
    pub(crate) doors: OpenDoors,
}

/// The routes.
pub(crate) fn router(state: ApiState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/v1/status", get(status_now))
        .route("/v1/goals", get(goals))
        .route("/v1/aggregates", get(aggregates))
        .route("/v1/journal", get(journal))
        .route("/v1/explain/{id}", get(explanation))
        .route("/v1/hold", post(hold))
        .route("/v1/resume", post(resume))
        .route("/v1/arm", post(arm))
        .route("/v1/approve/{id}", post(approve))
        .route("/v1/reject/{id}", post(reject))
        .layer(middleware::from_fn(fence::guard))
        .with_state(state)
}

/// The page loads nothing from anywhere else, and nobody may frame it.
const PAGE_POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
);

async fn page() -> impl IntoResponse {
    let html = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    ([html, PAGE_POLICY, (header::CACHE_CONTROL, "no-store")], include_str!("api/page.html"))
}

async fn ready(State(state): State<ApiState>) -> Response {
    let view = state.views.borrow().clone();
    let last = view.record.as_ref().map(|record| record.at);
    let age = last.map(|at| state.clock.now().since(at).0);
    match (&view.trouble, age) {
        (Some(trouble), _) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
        (None, Some(age)) if age <= TICK_AGE_MAX_MS => "ready\n".into_response(),
        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "the loop has not ticked lately\n").into_response(),
    }
}

async fn status_now(State(state): State<ApiState>) -> Json<Status> {
    let view = state.views.borrow().clone();
    let identity = &state.identity;
    let record = view.record.as_ref();
    Json(Status {
        agent: AgentStatus {
            name: identity.name.clone(),
            manifest: identity.manifest.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: state.clock.now().since(identity.started),
            life: identity.life,
            state_dir: identity.state_dir.display().to_string(),
        },
        regime: view.regime,
        trouble: view.trouble.clone(),
        tick: record.map_or(TickNumber(0), |record| record.tick),
        at: record.map_or(identity.started, |record| record.at),
        blindness_bp: record.map_or_else(Default::default, |record| record.snapshot.blindness),
        autonomy: view.settings.autonomy,
        services: status::services(&view, &state.data_plane.aggregates()),
        goals: status::goals(&view),
        incidents: record.map_or_else(Vec::new, |record| record.assessment.incidents.clone()),
        trials: view.trials.to_vec(),
        decisions: view.decisions.iter().cloned().collect(),
        hold_file: view.hold_file.clone(),
        storm: record.and_then(|record| record.assessment.storm),
        disarmed: view.disarmed.clone(),
        withheld: record.map_or_else(Vec::new, |record| record.plan.withheld.clone()),
        learned: status::learned(&view.knowledge),
        pipeline: state.data_plane.stats(),
        doors: identity.doors,
    })
}

async fn goals(State(state): State<ApiState>) -> Json<GoalsReport> {
    let view = state.views.borrow().clone();
    Json(GoalsReport::of_view(&view))
}

async fn aggregates(State(state): State<ApiState>) -> Json<Aggregates> {
    Json(state.data_plane.aggregates())
}

#[derive(Deserialize)]
struct JournalQuery {
    limit: Option<usize>,
    since_ms: Option<u64>,
}

async fn journal(
    State(state): State<ApiState>,
    Query(query): Query<JournalQuery>,
) -> Result<Json<Vec<TickRecord>>, Refusal> {
    let limit = query.limit.unwrap_or(RECORDS_DEFAULT).clamp(1, RECORDS_MAX);
    let since = query.since_ms.map(|span| Timestamp(state.clock.now().0.saturating_sub(span)));
    let records = from_journal(|| newest(&state.journal, limit, since)).await?;
    Ok(Json(records))
}

#[derive(Deserialize)]
struct ExplainQuery {
    /// `text` asks for what `homeostat explain` prints.
    #[serde(rename = "as")]
    form: Option<String>,
}

async fn explanation(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<ExplainQuery>,
) -> Result<Response, Refusal> {
    let subject = Subject::parse(&id).map_err(|why| Refusal(StatusCode::BAD_REQUEST, format!("{id}: {why}")))?;
    let found = from_journal(|| explain(&state.journal, subject)).await?;
    let unknown = || Refusal(StatusCode::NOT_FOUND, format!("the journal knows nothing of {subject}"));
    let explanation = found.ok_or_else(unknown)?;
    if query.form.as_deref() != Some("text") {
        return Ok(Json(explanation).into_response());
    }
    let mut text = Vec::new();
    explanation.write(&mut text).expect("writing to memory does not fail");
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Answers from the journal at once. Reading blocks a thread of the runtime each; two leave the others to the data plane, and
/// whoever comes third waits.
const JOURNAL_READS_MAX: usize = 2;

static JOURNAL_READS: Semaphore = Semaphore::const_new(JOURNAL_READS_MAX);

async fn from_journal<T>(read: impl FnOnce() -> Result<T, JournalError>) -> Result<T, Refusal> {
    let _place = JOURNAL_READS.acquire().await.expect("the semaphore is never closed");
    let broken = |error: JournalError| Refusal(StatusCode::INTERNAL_SERVER_ERROR, with_causes(&error));
    tokio::task::block_in_place(read).map_err(broken)
}

/// What a steering request is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Steered {
    /// The regime after it took effect.
    pub(crate) regime: Regime,
    /// The tick at which it did.
    pub(crate) tick: TickNumber,
}

async fn hold(State(state): State<ApiState>) -> Result<Json<Steered>, Refusal> {
    say(state, OperatorCommand::Hold).await
}

async fn resume(State(state): State<ApiState>) -> Result<Json<Steered>, Refusal> {
    let view = state.views.borrow().clone();
    if let Some(trouble) = &view.trouble {
        return Err(Refusal(StatusCode::CONFLICT, trouble.to_string()));
    }
    if let Some(path) = &view.hold_file {
        let why = format!("the file {} holds the agent; remove it, and it acts again", path.display());
        return Err(Refusal(StatusCode::CONFLICT, why));
    }
    say(state, OperatorCommand::Resume).await
}

/// What is to be tried again.
#[derive(Deserialize)]
struct ArmQuery {
    kind: String,
    target: String,
}

async fn arm(State(state): State<ApiState>, Query(wanted): Query<ArmQuery>) -> Result<Json<Steered>, Refusal> {
    let view = state.views.borrow().clone();
    let found = view.disarmed.iter().find(|one| one.kind.as_str() == wanted.kind && one.target == wanted.target);
    let Some(found) = found else {
        let disarmed: Vec<String> = view.disarmed.iter().map(|one| format!("{} {}", one.target, one.kind)).collect();
        let all =
            if disarmed.is_empty() { "nothing is".to_owned() } else { format!("these are: {}", disarmed.join(", ")) };
        let why = format!("{} of {} is not disarmed; {all}", wanted.kind, wanted.target);
        return Err(Refusal(StatusCode::NOT_FOUND, why));
    };
    say(state, OperatorCommand::Arm { kind: found.kind.clone(), target: found.on.clone() }).await
}

async fn approve(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Steered>, Refusal> {
    let id = waiting(&state, &id)?;
    say(state, OperatorCommand::Approve(id)).await
}

async fn reject(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Steered>, Refusal> {
    let id = waiting(&state, &id)?;
    say(state, OperatorCommand::Reject(id)).await
}

/// The action called `text`, if it waits for an answer.
fn waiting(state: &ApiState, text: &str) -> Result<ActionId, Refusal> {
    let garbled = || Refusal(StatusCode::BAD_REQUEST, format!("{text}: expected an action such as a-17"));
    let id = ActionId::parse(text).ok_or_else(garbled)?;
    let view = state.views.borrow().clone();
    let waits = |trial: &&homeostat_core::Trial| trial.state.stage() == TrialStage::AwaitingApproval;
    let open: Vec<ActionId> = view.trials.iter().filter(waits).map(|trial| trial.request.id).collect();
    if open.contains(&id) {
        return Ok(id);
    }
    let others = match open.as_slice() {
        [] => "no action does".to_owned(),
        open => format!("these do: {}", open.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    Err(Refusal(StatusCode::NOT_FOUND, format!("{id} does not wait for approval; {others}")))
}

/// Tells the loop, and waits until the tick at which it takes effect.
async fn say(mut state: ApiState, said: OperatorCommand) -> Result<Json<Steered>, Refusal> {
    let gone = || Refusal(StatusCode::SERVICE_UNAVAILABLE, "the agent is shutting down".to_owned());
    let tick = |view: &Arc<LoopView>| view.record.as_ref().map_or(TickNumber(0), |record| record.tick);
    let before = tick(&state.views.borrow());
    state.operator.send(said).await.map_err(|_| gone())?;
    let after = state.views.wait_for(|view| before < tick(view) || view.trouble.is_some());
    match tokio::time::timeout(TAKES_EFFECT_WITHIN, after).await {
        Ok(Ok(view)) => Ok(Json(Steered { regime: view.regime, tick: tick(&view) })),
        Ok(Err(_)) => Err(gone()),
        Err(_) => {
            let why = "it was said, but no tick has come since; see the agent's log";
            Err(Refusal(StatusCode::GATEWAY_TIMEOUT, why.to_owned()))
        }
    }
}

/// A no, with its reason in one line.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
