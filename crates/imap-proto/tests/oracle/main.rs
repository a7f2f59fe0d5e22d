//! What another implementation makes of the same words: commands that `imap-codec` writes are understood here as they
//! were meant, and what is said here is read by it as it was meant. For the part of the protocol that both speak.

mod commands;
mod outside;
mod responses;
mod transcripts;
