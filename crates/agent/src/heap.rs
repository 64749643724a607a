//! Memory that the agent does not need any more, given back to the system.
#![allow(unsafe_code)]

/// Gives unused memory back. What is freed piece by piece otherwise stays with the process for as long
/// as something newer lies beyond it.
pub(crate) fn give_back() {
    // SAFETY: takes a number and touches only what the allocator holds as free; the allocator locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
