//! MIME in: summary, sections, text, verification. The only user of mail-parser and mail-auth.
