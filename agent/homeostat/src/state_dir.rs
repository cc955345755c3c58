//! The state directory.
//!
//! Answers where the journal lives when nobody says. Does not create or open it. The XDG state directory is used because the
//! journal must survive a reboot but belongs to nobody's backups or configuration; root without a home is a system
//! service, and gets a system service's place.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variables that decide, read once at the edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `XDG_STATE_HOME`.
    pub(crate) xdg_state_home: Option<OsString>,
    /// `HOME`.
    pub(crate) home: Option<OsString>,
}

impl Surroundings {
    /// Reads the environment.
    pub(crate) fn read() -> Surroundings {
        Surroundings { xdg_state_home: std::env::var_os("XDG_STATE_HOME"), home: std::env::var_os("HOME") }
    }
}

/// The state directory: what was asked for, or the default of these surroundings.
pub(crate) fn choose(asked: Option<PathBuf>, surroundings: &Surroundings) -> PathBuf {
    // The XDG specification says that a relative path must be ignored.
    let absolute = |value: &Option<OsString>| value.as_ref().map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(asked) = asked {
        return asked;
    }
    if let Some(state) = absolute(&surroundings.xdg_state_home) {
        return state.join("homeostat");
    }
    match absolute(&surroundings.home).filter(|home| home.parent().is_some()) {
        Some(home) => home.join(".local/state/homeostat"),
        None => PathBuf::from("/var/lib/homeostat"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a desktop, a container with XDG set, a system service without a home, a home of `/`, and a wish.
    /// Guarantees: each has the place its conventions say; a relative XDG path is ignored; a wish is always followed.
    #[test]
    fn each_surrounding_has_its_place() {
        let check = |asked: Option<&str>, xdg: Option<&str>, home: Option<&str>, expected: &str| {
            let surroundings = Surroundings { xdg_state_home: xdg.map(Into::into), home: home.map(Into::into) };
            assert_eq!(choose(asked.map(Into::into), &surroundings), PathBuf::from(expected));
        };
        check(None, None, Some("/home/ada"), "/home/ada/.local/state/homeostat");
        check(None, Some("/state"), Some("/home/ada"), "/state/homeostat");
        check(None, Some("state"), Some("/home/ada"), "/home/ada/.local/state/homeostat");
        check(None, None, None, "/var/lib/homeostat");
        check(None, Some(""), Some("/"), "/var/lib/homeostat");
        check(Some("here"), Some("/state"), Some("/home/ada"), "here");
    }
}
