//! How the C library's allocator deals with memory that is free again.

/// Keeps the heap of a process with many threads small: two arenas for all of them in place of
/// eight a processor, and big blocks go back to the kernel as they are freed. To be called before
/// threads start. Does nothing where the allocator is another one.
pub fn keep_heap_small() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: i32 = 2;
        /// The usual value; setting it keeps it from growing with the blocks it sees.
        const BIG: i32 = 128 << 10;
        // SAFETY: changes parameters of the allocator only; one it does not know is ignored.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS);
            libc::mallopt(libc::M_MMAP_THRESHOLD, BIG);
        }
    }
}
