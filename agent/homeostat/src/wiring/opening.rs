//! Opening the doors.
//!
//! Answers on which sockets the agent listens, and refuses to start with half of them: an agent that silently lacks a door
//! is found out at the worst time. Does not serve the API or the metrics yet; their routes need the loop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use homeostat_adapters::{EndpointError, HeadSampling, Heads, JournalError, RemoteSampling};
use homeostat_core::{OperationName, OperationPlan, SamplingPlan};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::data_plane::DataPlane;
use crate::doors::OpenDoors;
use crate::manifest::Manifest;
use crate::own_spans::OwnSpansError;

/// Why an agent could not be started.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// The journal.
    #[error("cannot open the journal")]
    Journal(#[source] JournalError),
    /// A URL of the manifest.
    #[error("the manifest's address of {what} cannot be used")]
    Endpoint {
        /// Whose.
        what: String,
        /// The cause.
        source: EndpointError,
    },
    /// The OTLP doors.
    #[error("cannot start the data plane")]
    DataPlane(#[source] homeostat_pipeline::StartError),
    /// The doors for remote samplers.
    #[error("cannot answer remote samplers")]
    RemoteSampling(#[source] homeostat_adapters::StartError),
    /// The API or metrics door.
    #[error("cannot open the {door} door on {address}; end what is using it, or set {key} in the manifest")]
    Door {
        /// Which door.
        door: &'static str,
        /// Where.
        address: SocketAddr,
        /// The manifest's key.
        key: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The file that names the doors.
    #[error("cannot write {} in {}", OpenDoors::FILE, path.display())]
    DoorsFile {
        /// The state directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Own spans.
    #[error("cannot send own spans")]
    OwnSpans(#[source] OwnSpansError),
}

/// The plan as remote samplers read it.
pub(crate) struct SharedPlan(ArcSwap<SamplingPlan>);

impl SharedPlan {
    /// Everybody who asks from now on is answered from `plan`.
    pub(crate) fn store(&self, plan: SamplingPlan) {
        self.0.store(Arc::new(plan));
    }
}

impl HeadSampling for SharedPlan {
    fn heads(&self, service: &str) -> Heads {
        let plan = self.0.load();
        let named = plan.operations.get(service).into_iter().flatten();
        let head = |(operation, plan): (&OperationName, &OperationPlan)| Some((operation.clone(), plan.sampling?.head));
        Heads { default: plan.of(service).head, operations: named.filter_map(head).collect() }
    }
}

/// Every open socket.
pub(crate) struct Opened {
    /// The data plane, already taking telemetry.
    pub(crate) data_plane: Arc<DataPlane>,
    /// The doors for remote samplers, already answering.
    pub(crate) remote_sampling: Arc<RemoteSampling>,
    /// What they answer from.
    pub(crate) shared: Arc<SharedPlan>,
    /// The API's socket.
    pub(crate) api: Option<TcpListener>,
    /// The metrics' socket.
    pub(crate) metrics: Option<TcpListener>,
    /// All addresses.
    pub(crate) doors: OpenDoors,
}

/// Opens every door of the manifest, or none for long: what was opened before an error is closed with it.
pub(crate) async fn open(manifest: &Manifest, plan: &SamplingPlan, state_dir: &Path) -> Result<Opened, StartError> {
    let wanted = &manifest.doors;
    let api = listen("API", wanted.api, "spec.api.address").await?;
    let metrics = listen("metrics", wanted.metrics, "spec.telemetry.metricsAddress").await?;
    let shared = Arc::new(SharedPlan(ArcSwap::from_pointee(plan.clone())));
    let remote_sampling = RemoteSampling::start(wanted.sampling_http, wanted.sampling_grpc, shared.clone());
    let remote_sampling = Arc::new(remote_sampling.map_err(StartError::RemoteSampling)?);
    let data_plane = DataPlane::start(manifest, plan.clone(), state_dir).await.map_err(StartError::DataPlane)?;
    let address = |listener: &Option<TcpListener>| listener.as_ref().and_then(|door| door.local_addr().ok());
    let doors = OpenDoors {
        otlp_grpc: data_plane.grpc_addr(),
        otlp_http: data_plane.http_addr(),
        sampling_http: remote_sampling.http_addr(),
        sampling_grpc: remote_sampling.grpc_addr(),
        metrics: address(&metrics),
        api: address(&api),
    };
    let written = doors.write(state_dir);
    written.map_err(|source| StartError::DoorsFile { path: state_dir.to_owned(), source })?;
    Ok(Opened { data_plane: Arc::new(data_plane), remote_sampling, shared, api, metrics, doors })
}

async fn listen(
    door: &'static str,
    address: Option<SocketAddr>,
    key: &'static str,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) => Err(StartError::Door { door, address, key, source }),
    }
}
