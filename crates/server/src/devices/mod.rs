//! Devices: who is let in, what they report, whether they are connected.

pub mod admission;
pub mod decision;
pub mod identity;
pub mod inventory;
pub mod labels;
pub mod presence;
pub mod public_key;
