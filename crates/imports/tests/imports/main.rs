//! Imports from the upload to the inbox, with crashes in between, on a store in memory.

mod dates;
mod jobs;
mod once;
mod unreadable;
mod uploads;
mod world;
