#![no_main]
//! Fuzzes `segments`; what it must hold is in `segments.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| homeostat_fuzz::segments(data));
