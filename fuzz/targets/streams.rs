//! Lists of servers that speak simplestreams.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::sow(fuzz::streams::seeds),
    |data: &[u8]| fuzz::streams::look(data)
);
