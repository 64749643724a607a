//! A network that breaks as networks do, from a seed.
//!
//! A [`Proxy`] stands between two programs and passes bytes on until it is told not to. A [`Storm`]
//! is the list of what goes wrong, the same for the same seed; a [`Network`] has a proxy on each leg
//! and carries the list out.

mod dice;
mod network;
mod pipe;
mod proxy;
mod storm;

pub use dice::Dice;
pub use network::{Counts, Network};
pub use pipe::Way;
pub use proxy::{Cut, Proxy, Weather};
pub use storm::{Fault, Leg, Step, Storm, What};
