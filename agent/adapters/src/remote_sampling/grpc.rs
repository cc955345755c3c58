//! Remote sampling over gRPC.
//!
//! Answers `jaeger.api_v2.SamplingManager/GetSamplingStrategy`, which Java's SDK asks by default. It does not know any
//! probability. The method is routed by hand: one method does not justify a generated service.

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use homeostat_core::{OperationName, SamplingProbability};
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::Heads;
use super::proto::{
    OneOperationSampling, OperationSampling, ProbabilisticSampling, SamplingStrategyParameters,
    SamplingStrategyResponse, SamplingStrategyType,
};
use super::served::Served;

/// The largest question read; an honest one holds one name.
const QUESTION_BYTES_MAX: usize = 64 << 10;

/// The routes of the gRPC door.
pub(super) fn router(served: Arc<Served>) -> Router {
    Router::new()
        .route("/jaeger.api_v2.SamplingManager/GetSamplingStrategy", post(answer))
        .fallback(async || -> Response {
            let text = "only jaeger.api_v2.SamplingManager/GetSamplingStrategy is answered here";
            Status::new(Code::Unimplemented, text).into_http()
        })
        .with_state(served)
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let codec = ProstCodec::<SamplingStrategyResponse, SamplingStrategyParameters>::default();
    let mut grpc =
        Grpc::new(codec).accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(QUESTION_BYTES_MAX);
    grpc.unary(Answering(served), request).await.map(axum::body::Body::new)
}

struct Answering(Arc<Served>);

impl UnaryService<SamplingStrategyParameters> for Answering {
    type Response = SamplingStrategyResponse;
    type Future = Ready<Result<tonic::Response<SamplingStrategyResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<SamplingStrategyParameters>) -> Self::Future {
        let service = request.into_inner().service_name;
        ready(match service.is_empty() {
            true => Err(Status::invalid_argument("the field `serviceName` is missing or empty")),
            false => Ok(tonic::Response::new(complete(self.0.ask(&service)))),
        })
    }
}

fn complete(heads: Heads) -> SamplingStrategyResponse {
    let default = heads.default.as_f64();
    let one = |(operation, head): (OperationName, SamplingProbability)| OneOperationSampling {
        operation: operation.to_string(),
        probabilistic_sampling: Some(ProbabilisticSampling { sampling_rate: head.as_f64() }),
    };
    SamplingStrategyResponse {
        strategy_type: SamplingStrategyType::Probabilistic.into(),
        probabilistic_sampling: Some(ProbabilisticSampling { sampling_rate: default }),
        operation_sampling: Some(OperationSampling {
            default_sampling_probability: default,
            default_lower_bound_traces_per_second: 0.0,
            per_operation_strategies: heads.operations.into_iter().map(one).collect(),
            default_upper_bound_traces_per_second: 0.0,
        }),
    }
}
