//! Tests of the state machine: its rules one after another, and what holds whatever happens.

mod any_order;
mod rules;
