//! Printing: `completions`, `man`.
//!
//! Answers with files for the shell and for `man`, made from the same types that parse the command line.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use super::{Answer, CommandError};
use crate::cli::Cli;

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> Result<Answer, CommandError> {
    clap_complete::generate(shell, &mut Cli::command(), "homeostat", &mut Unbroken(out));
    Ok(Answer::Yes)
}

/// Writes one man page for each command.
pub(super) fn man(dir: &Path, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let failed = |source| CommandError::Write { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    writeln!(out, "wrote the man pages to {}; try `man {}/homeostat.1`", dir.display(), dir.display())?;
    Ok(Answer::Yes)
}

/// The generator panics when its reader has gone, as in `homeostat completions bash | head`; so it is told that all is well.
struct Unbroken<'a>(&'a mut dyn Write);

impl Write for Unbroken<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).or(Ok(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}
