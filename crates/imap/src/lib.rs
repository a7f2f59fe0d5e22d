//! Ports 143 and 993: answers the IMAP machine's questions from mailstore.
