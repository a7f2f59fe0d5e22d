//! The API as its clients see it, on a store in memory.

mod agentmail_drafts;
mod agentmail_mail;
mod agentmail_messages;
mod agentmail_sending;
mod agentmail_threads;
mod captured;
mod domains;
mod errors;
mod events;
mod hearing;
mod idempotency;
mod lifecycle;
mod mail;
mod mcp;
mod messages;
mod outcomes;
mod permissions;
mod queue;
mod replies;
mod scoping;
mod sending;
mod settings;
mod setup;
mod wait;
mod webhooks;
mod websocket;
