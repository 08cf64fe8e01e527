//! The only unsafe code: system calls that no library offers.
