//! Why something is not a cast.

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CastError {
    /// The first line is not the header of a cast.
    #[error("not a cast: {0}")]
    NoHeader(String),
    /// The header says a version that is not read here.
    #[error("casts of version {0} are not read")]
    Version(u64),
    /// A line is not an event.
    #[error("line {line}: {why}")]
    Malformed {
        /// Which one, from 1.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A line has more bytes than any that is read.
    #[error("line {0} is too long")]
    TooLong(u64),
}
