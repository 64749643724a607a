//! The rules, and what holds whatever happens.

mod any_order;
mod plain_rules;
mod rules;
mod simulation;
mod stage;
