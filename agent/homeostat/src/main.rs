//! The binary. Answers nothing yet but how a manifest is read; the command line opens the doors.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the command line that reads it is still missing"))]
mod manifest;

fn main() {}
