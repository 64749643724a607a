mod bounds;
mod generated;
mod rules;
mod same;
