mod bounds;
mod corpus;
mod generated;
mod rules;
mod same;
