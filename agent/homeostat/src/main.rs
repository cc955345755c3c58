//! The binary.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the command line that reads it is still missing"))]
mod manifest;

fn main() {}
