//! Organizations, pods, inboxes, names, passwords and API keys.
