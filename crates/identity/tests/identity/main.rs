//! Identity as its callers see it, on a store in memory.

mod access;
mod agent_keys;
mod agents;
mod asked_inboxes;
mod domains;
mod kept_metadata;
mod listing;
mod naming;
mod permissions;
mod proofs;
mod races;
mod setup;
mod tenant_domains;
