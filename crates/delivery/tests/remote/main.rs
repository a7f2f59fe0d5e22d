//! Five days of a hostile world, with the clock stopped: other servers that fail in every way there is.
//!
//! What must hold whatever they do: every recipient ends in exactly one final state; what the servers took fits it;
//! nothing was taken twice except after a lost reply, and then the attempt says that it is uncertain; the sender is told
//! once of each failure, and of nothing else.

mod check;
mod network;
mod rng;
mod scenario;
mod single;
mod storm;
mod world;
