//! Identity as its callers see it, on a store in memory.

mod access;
mod domains;
mod naming;
mod proofs;
mod races;
mod setup;
