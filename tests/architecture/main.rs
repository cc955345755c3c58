//! The rules of the house, as tests.
//!
//! Answers whether the tree still is what `ARCHITECTURE.md` says: who may depend on whom, what the pure rooms may touch,
//! how long a function may be, what every file and test must say of itself. Does not know whether the code is right.
//! Ordinary tests are used rather than a linter of its own, so that `cargo test` is all there is to remember.

mod catalogues;
mod crates;
mod files;
mod functions;
mod house;
mod invariants;
mod lexer;
mod purity;
mod words;
