//! Project chores: what the structure of this repository promises, as checks that tests call.
//!
//! Each check returns what it found wrong, one line a finding, so that a test can show all of them
//! at once and the checks themselves can be tested on sources made up for the purpose.

pub mod architecture;
pub mod dependencies;
pub mod footprint;
pub mod items;
pub mod modules;
pub mod sources;
pub mod workspace;
