//! What a fault is called on the wire. No `_` arm, so a new fault asks for its code at compile time.

use crate::question::Fault;

/// Response code (RFC 5530, RFC 3501 §7.1) and text.
pub(crate) const fn code_and_text(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::AuthenticationFailed => ("AUTHENTICATIONFAILED", "Wrong user or password"),
        Fault::AuthorizationFailed => ("AUTHORIZATIONFAILED", "This inbox may not be used now"),
        Fault::Unavailable => ("UNAVAILABLE", "Not possible at the moment, try later"),
        Fault::NoSuchMailbox => ("NONEXISTENT", "No such mailbox"),
        Fault::AlreadyExists => ("ALREADYEXISTS", "A mailbox of this name exists"),
        Fault::NoPermission => ("NOPERM", "These credentials do not permit that"),
        Fault::Cannot => ("CANNOT", "That cannot be done"),
        Fault::HasChildren => ("HASCHILDREN", "The mailbox has children"),
        Fault::OverQuota => ("OVERQUOTA", "The inbox is full"),
        Fault::TooBig => ("TOOBIG", "Too big"),
        Fault::Limit => ("LIMIT", "A limit is reached"),
        Fault::BadUrl => ("BADURL", "This URL names nothing that can be had"),
        Fault::UseAttr => ("USEATTR", "The mailbox cannot have this special use"),
        Fault::UnknownCte => ("UNKNOWN-CTE", "A content transfer encoding is not known here"),
        Fault::Gone => ("EXPUNGEISSUED", "The message is gone"),
        Fault::Corruption => ("CORRUPTION", "The stored message cannot be read"),
        Fault::Internal => ("SERVERBUG", "Trouble on our side, it has been logged"),
    }
}
