//! The queue on the in-memory store, with paused time.

mod agenda;
mod announced;
mod capture;
mod check;
mod cost;
mod leases;
mod local;
mod notices;
mod operate;
mod paths;
mod random;
mod setup;
mod world;
