//! What STATUS asks for (RFC 3501 §6.3.10; RFC 7162 §3.1.7, RFC 7889 §3.1, RFC 8438, RFC 8474 §4.3, RFC 9208 §4.1.4).

use super::{Bad, Parsed, Scanner};

/// One item of STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    DeletedStorage,
    Size,
    HighestModSeq,
    MailboxId,
    AppendLimit,
}

/// The items in parentheses, at least one; each counts once.
pub(crate) fn status_items(scanner: &mut Scanner<'_>) -> Parsed<Vec<StatusItem>> {
    let mut items = Vec::new();
    scanner.list(|scanner| {
        let item = match scanner.atom()?.to_ascii_uppercase().as_slice() {
            b"MESSAGES" => StatusItem::Messages,
            b"RECENT" => StatusItem::Recent,
            b"UIDNEXT" => StatusItem::UidNext,
            b"UIDVALIDITY" => StatusItem::UidValidity,
            b"UNSEEN" => StatusItem::Unseen,
            b"DELETED" => StatusItem::Deleted,
            b"DELETED-STORAGE" => StatusItem::DeletedStorage,
            b"SIZE" => StatusItem::Size,
            b"HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            b"MAILBOXID" => StatusItem::MailboxId,
            b"APPENDLIMIT" => StatusItem::AppendLimit,
            _ => return Err(Bad("Unknown STATUS item")),
        };
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let read = |text: &str| status_items(&mut Scanner::new(text.as_bytes()));
        assert_eq!(
            read("(messages UNSEEN Deleted-Storage messages)"),
            Ok(vec![
                StatusItem::Messages,
                StatusItem::Unseen,
                StatusItem::DeletedStorage
            ])
        );
        for bad in ["", "()", "MESSAGES", "(FOO)", "(MESSAGES"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
