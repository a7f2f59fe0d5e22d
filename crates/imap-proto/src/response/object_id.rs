//! Object ids (RFC 8474 §7): a letter for the kind of thing, then the id in hexadecimal. So none begins with a digit,
//! none differs from another by case alone, and no two things of different kinds share one (§5.2, §8.1).

use postroom_types::{EmailId, MailboxId, ThreadId};

/// `M…`, in its parentheses.
pub(crate) fn write_email_id(out: &mut Vec<u8>, id: EmailId) {
    write(out, b'M', id.as_bytes());
}

/// `T…`, in its parentheses.
pub(crate) fn write_thread_id(out: &mut Vec<u8>, id: ThreadId) {
    write(out, b'T', id.as_bytes());
}

/// `F…`, in its parentheses.
pub(crate) fn write_mailbox_id(out: &mut Vec<u8>, id: MailboxId) {
    write(out, b'F', id.as_bytes());
}

/// Reads what [`write_email_id`] wrote, without parentheses. `None`: no message has this id.
pub(crate) fn email_id(text: &[u8]) -> Option<EmailId> {
    read(text, b'M').map(EmailId::from_bytes)
}

/// Reads what [`write_thread_id`] wrote, without parentheses. `None`: no message has this id.
pub(crate) fn thread_id(text: &[u8]) -> Option<ThreadId> {
    read(text, b'T').map(ThreadId::from_bytes)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn write(out: &mut Vec<u8>, kind: u8, id: &[u8; 16]) {
    out.extend_from_slice(&[b'(', kind]);
    for byte in id {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push(b')');
}

/// Case counts (RFC 8474 §7).
fn read(text: &[u8], kind: u8) -> Option<[u8; 16]> {
    let digits = text.strip_prefix(&[kind]).filter(|digits| digits.len() == 32)?;
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let value = DIGITS.iter().position(|known| known == digit)?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_come_back(bytes: [u8; 16]) {
            let mut text = Vec::new();
            write_email_id(&mut text, EmailId::from_bytes(bytes));
            let inside = &text[1..text.len() - 1];
            prop_assert!(inside.iter().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(email_id(inside), Some(EmailId::from_bytes(bytes)));
            prop_assert_eq!(thread_id(inside), None);
            prop_assert_eq!(email_id(&inside[..32]), None);
            prop_assert_eq!(email_id(&[inside, b"0".as_slice()].concat()), None);
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut text = Vec::new();
        write_thread_id(&mut text, ThreadId::from_bytes([0x0a; 16]));
        write_mailbox_id(&mut text, MailboxId::from_bytes([0xf1; 16]));
        let expected = format!("(T{})(F{})", "0a".repeat(16), "f1".repeat(16));
        assert_eq!(text, expected.as_bytes());
        assert_eq!(thread_id(format!("T{}", "0A".repeat(16)).as_bytes()), None);
    }
}
