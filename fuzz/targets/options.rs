//! Options in text form, as clients send them.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::sow(fuzz::options::seeds),
    |data: &[u8]| fuzz::options::look(data)
);
