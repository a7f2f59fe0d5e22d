//! What the message that a submission answers says about the conversation.

use crate::{Intake, SubmitError};
use postroom_mailstore::Origin;
use postroom_message::{fields, parse_address_list, unfold};
use postroom_types::{AddressEntry, Domain, EmailAddress, EmailId, InboxId, ThreadId};

/// How much of the message is read; a header section beyond that says nothing more.
const HEADER_OCTETS: u64 = 64 << 10;
/// Most addresses taken from it: those of a reply to all, and some.
const MAX_ADDRESSES: usize = 500;

/// A message of the inbox that is being answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Its thread.
    pub(crate) thread_id: ThreadId,
    /// Whether it came from outside this inbox and a machine wrote it.
    automated: bool,
    /// Who gets the answer.
    answer_to: Option<EmailAddress>,
    /// Everybody in From, Reply-To, Sender, To and Cc, folded: writing to them is no approach to strangers.
    pub(crate) participants: Vec<EmailAddress>,
}

impl Answered {
    /// The machine that an answer goes to; `None` if there is none.
    pub(crate) fn peer(&self) -> Option<&EmailAddress> {
        self.answer_to.as_ref().filter(|_| self.automated)
    }
}

impl Intake {
    /// Reads the message that is answered: the one named, or the one whose Message-ID In-Reply-To has.
    pub(crate) async fn answered(
        &self,
        inbox: InboxId,
        answers: Option<EmailId>,
        in_reply_to: Option<&str>,
    ) -> Result<Option<Answered>, SubmitError> {
        let mailstore = &self.mailstore;
        let id = match (answers, in_reply_to) {
            (Some(id), _) => Some(id),
            (None, Some(message_id)) => mailstore.find_message_id(inbox, message_id).await?,
            (None, None) => None,
        };
        let Some(id) = id else { return Ok(None) };
        let Some(record) = mailstore.message(inbox, id).await? else {
            return Ok(None);
        };
        let Some(header) = mailstore.read(&record.content, 0..HEADER_OCTETS).await? else {
            return Ok(None);
        };
        let seen = Header::read(&header);
        Ok(Some(Answered {
            thread_id: record.thread_id,
            automated: seen.automated && record.origin != Origin::Sent,
            answer_to: seen.reply_to.or(seen.from),
            participants: seen.participants,
        }))
    }
}

#[derive(Default)]
struct Header {
    automated: bool,
    from: Option<EmailAddress>,
    reply_to: Option<EmailAddress>,
    participants: Vec<EmailAddress>,
}

impl Header {
    fn read(content: &[u8]) -> Self {
        let mut header = Self::default();
        for field in fields(content) {
            if field.is("Auto-Submitted") {
                header.automated |= !first_word(field.value).eq_ignore_ascii_case(b"no");
            } else if field.is("Precedence") {
                let word = first_word(field.value);
                header.automated |= ["bulk", "list", "junk"]
                    .iter()
                    .any(|machine| word.eq_ignore_ascii_case(machine.as_bytes()));
            } else if field.is("Return-Path") {
                // A notice, whatever else it says (RFC 3834 §2).
                header.automated |= unfold(field.value).as_ref() == b"<>";
            } else if field.is("From") {
                header.from = header.take(field.value);
            } else if field.is("Reply-To") {
                header.reply_to = header.take(field.value);
            } else if field.is("Sender") || field.is("To") || field.is("Cc") {
                header.take(field.value);
            }
        }
        header
    }

    /// Keeps the addresses of a field; the first of them.
    fn take(&mut self, value: &[u8]) -> Option<EmailAddress> {
        let before = self.participants.len();
        let room = MAX_ADDRESSES.saturating_sub(before);
        self.participants.extend(addresses(value).take(room));
        self.participants.get(before).cloned()
    }
}

fn addresses(value: &[u8]) -> impl Iterator<Item = EmailAddress> {
    parse_address_list(value)
        .into_iter()
        .filter_map(|entry| address_of(&entry))
}

/// The address of an entry of a header field, folded.
pub(crate) fn address_of(entry: &AddressEntry) -> Option<EmailAddress> {
    let domain = Domain::parse(std::str::from_utf8(entry.host.as_deref()?).ok()?).ok()?;
    let local_part = std::str::from_utf8(entry.mailbox.as_deref()?).ok()?;
    Some(EmailAddress::from_parts(local_part, domain).ok()?.folded())
}

/// The first word of a value, without comments and parameters (RFC 3834 §5).
fn first_word(value: &[u8]) -> Vec<u8> {
    let value = unfold(value);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b',');
    let word = value.split(ends).find(|word| !word.is_empty());
    word.unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_told_from_people() {
        for (header, automated) in [
            ("Subject: x\r\n", false),
            ("Auto-Submitted: no\r\n", false),
            ("Auto-Submitted: No (really); x=y\r\n", false),
            ("auto-submitted: auto-replied\r\n", true),
            ("Auto-Submitted:\r\n auto-generated; owner-email=\"a@b\"\r\n", true),
            ("Precedence: bulk\r\n", true),
            ("Precedence: LIST\r\n", true),
            ("Precedence: first-class\r\n", false),
            ("Return-Path: <>\r\n", true),
            ("Return-Path: <a@example.net>\r\n", false),
            ("\r\nAuto-Submitted: auto-replied\r\n", false),
        ] {
            assert_eq!(Header::read(header.as_bytes()).automated, automated, "{header:?}");
        }
    }

    #[test]
    fn an_answer_goes_to_reply_to_else_from() {
        let header = Header::read(b"From: A <A@Example.NET>\r\nReply-To: b@example.net\r\nCc: c@x, nonsense\r\n");
        let text = |address: &Option<EmailAddress>| address.as_ref().map(ToString::to_string);
        assert_eq!(text(&header.from).as_deref(), Some("a@example.net"));
        assert_eq!(text(&header.reply_to).as_deref(), Some("b@example.net"));
        assert_eq!(header.participants.len(), 3);
    }
}
