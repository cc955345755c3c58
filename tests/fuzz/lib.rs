//! The fuzz targets as a library, so that each target is one line.

mod targets;

pub use targets::*;

mod corpus;

pub use corpus::seeds;
