//! Everything computed when a message enters.

use crate::decode::{decode_words, guarded};
use crate::header::body_offset;
use crate::references::{Named, message_ids, named};
use crate::structure;
use crate::text::preview;
use mail_parser::DateTime;
use postroom_types::{Part, Summary};

/// Longest decoded subject kept, in characters.
const MAX_SUBJECT_CHARS: usize = 1_000;

/// Parses a whole message. Never fails and never panics: of hostile content as much is known as could be found out.
#[must_use]
pub fn summarize(content: &[u8]) -> Summary {
    guarded(|| parse(content)).unwrap_or_else(|| {
        tracing::error!(
            octets = content.len(),
            "a message could not be parsed; it is kept as plain text"
        );
        opaque(content)
    })
}

fn parse(content: &[u8]) -> Summary {
    let (envelope, root) = structure::parse(content);
    let subject_text = envelope.subject.as_deref().map(decode_words).unwrap_or_default();
    let date = envelope.date.as_deref().and_then(|date| std::str::from_utf8(date).ok());
    let message_ids = envelope.message_id.as_deref().map(message_ids).unwrap_or_default();
    let Named { ancestors, references } = named(content);
    Summary {
        subject_text: subject_text.chars().take(MAX_SUBJECT_CHARS).collect(),
        preview: preview(content, &root),
        ancestors,
        references,
        message_id: <[String; 1]>::try_from(message_ids).ok().map(|[only]| only),
        sent_at: date
            .and_then(DateTime::parse_rfc822)
            .filter(DateTime::is_valid)
            .map(|date| date.to_timestamp()),
        envelope,
        root,
    }
}

/// What is said of a message that broke the parser.
fn opaque(content: &[u8]) -> Summary {
    let root = Part {
        media_type: b"text".into(),
        subtype: b"plain".into(),
        body_offset: body_offset(content) as u64,
        end_offset: content.len() as u64,
        ..Part::default()
    };
    Summary {
        root,
        ..Summary::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_known_of_a_message() {
        let content = b"From: Ann <ann@example.net>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\
            Message-ID: <one@example.net>\r\nIn-Reply-To: <zero@x> (comment)\r\nReferences: <a@x>\r\n <b@x> <zero@x>\r\n\r\nHello,\r\n\r\n  you  \
            there\r\n";
        let summary = summarize(content);
        assert_eq!(summary.subject_text, "café");
        assert_eq!(summary.envelope.subject.as_deref(), Some(&b"=?utf-8?q?caf=C3=A9?="[..]));
        assert_eq!(summary.message_id.as_deref(), Some("one@example.net"));
        assert_eq!(summary.ancestors, ["zero@x", "b@x", "a@x"]);
        assert_eq!(summary.references, ["a@x", "b@x", "zero@x"]);
        assert_eq!(summary.sent_at, Some(1_057_982_437));
        assert_eq!(summary.preview, "Hello, you there");
        assert_eq!(summary.envelope.sender, None);
    }

    #[test]
    fn two_message_ids_are_none() {
        assert_eq!(summarize(b"Message-ID: <a@b> <c@d>\r\n\r\n").message_id, None);
        assert_eq!(summarize(b"Message-ID: rubbish\r\n\r\n").message_id, None);
        assert_eq!(summarize(b"Date: rubbish\r\n\r\n").sent_at, None);
    }

    #[test]
    fn an_opaque_message_is_readable() {
        let summary = opaque(b"A: b\r\n\r\nbody");
        assert_eq!((summary.root.body_offset, summary.root.end_offset), (8, 12));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_summary(content in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(summarize(&content).root.end_offset, content.len() as u64);
        }
    }
}
