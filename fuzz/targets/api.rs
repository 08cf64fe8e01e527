//! Bodies and queries of the API.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::sow(fuzz::api::seeds),
    |data: &[u8]| fuzz::api::look(data)
);
