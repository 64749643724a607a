//! The real programs and real peers against each other, on loopback.

mod harness;
