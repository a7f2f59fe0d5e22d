//! Outbound: MX, TLS policy, attempts, classification of replies.
