//! Delivery from the queue to servers in this process, with the clock stopped.

mod connections;
mod ending;
mod hosts;
mod inside;
mod network;
mod peer;
mod security;
mod slow;
mod suspended;
mod world;
