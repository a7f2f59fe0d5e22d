//! A self-hosted mail server for AI agents.
fn main() {}
