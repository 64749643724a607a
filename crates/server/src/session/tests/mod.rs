//! The rules, and what holds whatever happens.

mod plain_rules;
mod rules;
mod simulation;
mod stage;
