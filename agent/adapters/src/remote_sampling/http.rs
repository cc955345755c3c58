//! Remote sampling over HTTP.
//!
//! Answers `GET /sampling?service=NAME` with JSON, on the paths that SDKs are configured with. It does not know any
//! probability. Every field is written, zeros too: the JavaScript SDK refuses an answer without `strategyType`, the Rust
//! SDK one without any single field of `operationSampling`. An unknown service gets the default, because an SDK would log a
//! 404 at every poll.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use homeostat_core::{OperationName, SamplingProbability};
use serde::Serialize;

use super::Heads;
use super::served::Served;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    strategy_type: &'static str,
    probabilistic_sampling: Probabilistic,
    operation_sampling: Operations,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Probabilistic {
    sampling_rate: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operations {
    default_sampling_probability: f64,
    default_lower_bound_traces_per_second: f64,
    per_operation_strategies: Vec<OneOperation>,
    default_upper_bound_traces_per_second: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneOperation {
    operation: OperationName,
    probabilistic_sampling: Probabilistic,
}

/// The routes of the HTTP door.
pub(super) fn router(served: Arc<Served>) -> Router {
    Router::new()
        .route("/", get(answer))
        .route("/sampling", get(answer))
        .route("/api/sampling", get(answer))
        .fallback(async || (StatusCode::NOT_FOUND, "ask for /sampling?service=NAME\n"))
        .with_state(served)
}

type Pairs = Vec<(String, String)>;

async fn answer(State(served): State<Arc<Served>>, query: Result<Query<Pairs>, QueryRejection>) -> Response {
    let pairs = match query {
        Ok(Query(pairs)) => pairs,
        Err(rejection) => return (StatusCode::BAD_REQUEST, format!("{}\n", rejection.body_text())).into_response(),
    };
    // SDKs append their own name to a configured URL, so the last one is meant.
    match pairs.iter().rev().find(|(key, _)| key == "service") {
        Some((_, service)) if !service.is_empty() => Json(complete(served.ask(service))).into_response(),
        _ => {
            let text = "the query parameter `service` is missing or empty; ask for /sampling?service=NAME\n";
            (StatusCode::BAD_REQUEST, text).into_response()
        }
    }
}

fn complete(heads: Heads) -> Answer {
    let default = heads.default.as_f64();
    let one = |(operation, head): (OperationName, SamplingProbability)| OneOperation {
        operation,
        probabilistic_sampling: Probabilistic { sampling_rate: head.as_f64() },
    };
    Answer {
        strategy_type: "PROBABILISTIC",
        probabilistic_sampling: Probabilistic { sampling_rate: default },
        operation_sampling: Operations {
            default_sampling_probability: default,
            default_lower_bound_traces_per_second: 0.0,
            per_operation_strategies: heads.operations.into_iter().map(one).collect(),
            default_upper_bound_traces_per_second: 0.0,
        },
    }
}
