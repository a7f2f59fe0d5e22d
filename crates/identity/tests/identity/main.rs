//! Identity as its callers see it, on a store in memory.

mod access;
mod agent_identities;
mod agent_keys;
mod agents;
mod asked_inboxes;
mod contact_rules;
mod crowds;
mod domains;
mod given_identities;
mod kept_metadata;
mod listing;
mod naming;
mod organizations;
mod permissions;
mod proofs;
mod races;
mod setup;
mod signatures;
mod tenant_domains;
mod visibility;
mod who;
