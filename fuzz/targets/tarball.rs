//! Images and backups that somebody gives us.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::sow(fuzz::tarball::seeds),
    |data: &[u8]| fuzz::tarball::look(data)
);
