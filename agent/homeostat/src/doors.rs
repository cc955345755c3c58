//! The doors.
//!
//! Answers on which addresses a running agent really listens, also when the manifest asked for port 0. Does not open any.
//! A file in the state directory is used so that a script finds the doors without parsing a log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The addresses in use; `None` where a door is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenDoors {
    /// OTLP over gRPC.
    pub(crate) otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP.
    pub(crate) otlp_http: Option<SocketAddr>,
    /// Jaeger remote sampling over HTTP.
    pub(crate) sampling_http: Option<SocketAddr>,
    /// Jaeger remote sampling over gRPC.
    pub(crate) sampling_grpc: Option<SocketAddr>,
    /// Prometheus metrics.
    pub(crate) metrics: Option<SocketAddr>,
    /// The API and the page.
    pub(crate) api: Option<SocketAddr>,
}

impl OpenDoors {
    /// The file's name inside the state directory.
    pub(crate) const FILE: &str = "doors.json";

    /// Every door with its name for people, in the order of the contract.
    pub(crate) fn named(&self) -> [(&'static str, Option<SocketAddr>); 6] {
        [
            ("OTLP gRPC", self.otlp_grpc),
            ("OTLP HTTP", self.otlp_http),
            ("sampling HTTP", self.sampling_http),
            ("sampling gRPC", self.sampling_grpc),
            ("metrics", self.metrics),
            ("API and page", self.api),
        ]
    }

    /// Writes the file as a whole or not at all, so that a reader never sees half of it.
    pub(crate) fn write(&self, state_dir: &Path) -> std::io::Result<PathBuf> {
        let path = state_dir.join(Self::FILE);
        let draft = state_dir.join(format!(".{}.{}", Self::FILE, std::process::id()));
        let mut text = serde_json::to_string_pretty(self).expect("addresses are plain text");
        text.push('\n');
        std::fs::write(&draft, text)?;
        std::fs::rename(&draft, &path)?;
        Ok(path)
    }
}
