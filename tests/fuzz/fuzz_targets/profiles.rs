#![no_main]
//! Fuzzes `profiles`; what it must hold is in `targets.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| homeostat_fuzz::profiles(data));
