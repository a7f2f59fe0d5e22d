//! Identity as its callers see it, on a store in memory.

mod access;
mod naming;
mod races;
mod setup;
