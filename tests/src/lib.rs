//! Guarantees across the whole house. The tests lie beside this file, one folder per kind; there is nothing to link against.
