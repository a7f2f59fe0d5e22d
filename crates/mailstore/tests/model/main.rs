//! A few hundred operations, compared after each with a model so naive that it is plainly right; also on a store in
//! which everything the trait allows goes wrong.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod folders;
mod messages;
mod operation;
mod plays;
mod reference;
mod world;
