//! The kill switch that needs nothing but a file system.
//!
//! Answers what the file `hold` in the state directory says: while it is there, the agent is held, whoever else says what.
//! It works when the API is off, hangs, or is out of reach, and it survives a restart because files do. What cannot be looked
//! at holds too: a switch that fails must fail towards off.

use std::path::{Path, PathBuf};

use homeostat_core::OperatorCommand;

/// The file's name inside the state directory.
const NAME: &str = "hold";

/// The file, and whether it was there when it was last looked at.
#[derive(Debug)]
pub(crate) struct HoldFile {
    path: PathBuf,
    was_there: bool,
}

impl HoldFile {
    /// The file in `state_dir`.
    pub(crate) fn of(state_dir: &Path) -> HoldFile {
        HoldFile { path: state_dir.join(NAME), was_there: false }
    }

    /// Looks; says what the loop must be told. `held` is whether it is held already.
    pub(crate) fn look(&mut self, held: bool) -> Option<OperatorCommand> {
        let is_there = self.path.try_exists().unwrap_or(true);
        let before = std::mem::replace(&mut self.was_there, is_there);
        match (before, is_there) {
            (_, true) => (!held).then_some(OperatorCommand::Hold),
            (true, false) => Some(OperatorCommand::Resume),
            (false, false) => None,
        }
    }

    /// The file, while it holds the agent.
    pub(crate) fn holds(&self) -> Option<&Path> {
        self.was_there.then_some(self.path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the file comes, stays, is contradicted by a resume, and goes; before and after there is none.
    /// Guarantees: it is said once when it comes, again when it is contradicted, and its going is a resume, once.
    #[test]
    fn the_file_holds_while_it_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = HoldFile::of(dir.path());
        assert_eq!(file.look(false), None);
        std::fs::write(dir.path().join(NAME), "").expect("written");
        assert_eq!(file.look(false), Some(OperatorCommand::Hold));
        assert_eq!((file.look(true), file.look(false)), (None, Some(OperatorCommand::Hold)));
        assert!(file.holds().is_some());
        std::fs::remove_file(dir.path().join(NAME)).expect("removed");
        assert_eq!((file.look(true), file.look(false)), (Some(OperatorCommand::Resume), None));
    }

    /// Scenario: the state directory has become something that cannot be looked into.
    /// Guarantees: that holds.
    #[test]
    fn what_cannot_be_looked_at_holds() {
        let dir = tempfile::tempdir().expect("a directory");
        let not_a_directory = dir.path().join("file");
        std::fs::write(&not_a_directory, "").expect("written");
        let mut file = HoldFile::of(&not_a_directory);
        assert_eq!(file.look(false), Some(OperatorCommand::Hold));
    }
}
