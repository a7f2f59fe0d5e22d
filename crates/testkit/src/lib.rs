//! For tests only: transcripts played against protocol machines.
