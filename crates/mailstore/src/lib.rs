//! Mail semantics on a Store: mailboxes, UIDs, modseq, flags, threads, feed, consistency.
