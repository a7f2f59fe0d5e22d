//! The message that a letter answers or passes on, and what the letter takes over from it.

use crate::{Context, Letter, one_line};
use bytes::Bytes;
use postroom_mailstore::ThreadChoice;
use postroom_message::{
    OutgoingAttachment, forward_attachments, forward_html, forward_subject, forward_text, quote_html, quote_text,
    references_for, remove_fields, reply_subject, to_seven_bit,
};
use postroom_types::{EmailId, Summary, ThreadId};

/// Longest quote of the message that is answered; of one that is longer nothing is quoted.
const MAX_QUOTE_OCTETS: usize = 1 << 20;

/// A message to be answered or passed on.
#[derive(Clone, Debug)]
pub struct Source {
    /// The message.
    pub email_id: EmailId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// What is known of it.
    pub summary: Summary,
    /// Whether the inbox sent it.
    pub outbound: bool,
    /// Its bytes: at least its header section; all of it where it is quoted or passed on.
    pub content: Bytes,
}

impl Source {
    /// Of an answer: the thread, In-Reply-To and References (RFC 5322 §3.6.4).
    #[must_use]
    pub fn answer(&self) -> Context {
        Context {
            thread: ThreadChoice::Given(self.thread_id),
            answers: Some(self.email_id),
            in_reply_to: self.summary.message_id.clone(),
            references: references_for(&self.content),
        }
    }

    /// Of a message that passes this one on and stays in its thread. It answers nothing, so there is no In-Reply-To.
    #[must_use]
    pub fn passing_on(&self) -> Context {
        Context {
            thread: ThreadChoice::Given(self.thread_id),
            answers: None,
            in_reply_to: None,
            references: references_for(&self.content),
        }
    }

    /// `Re: …`
    #[must_use]
    pub fn reply_subject(&self) -> String {
        reply_subject(&one_line(&self.summary.subject_text))
    }

    /// `Fwd: …`
    #[must_use]
    pub fn forward_subject(&self) -> String {
        forward_subject(&one_line(&self.summary.subject_text))
    }

    /// A letter with this message quoted below its text, in each form that it has.
    #[must_use]
    pub fn quoted_in(&self, letter: Letter) -> Letter {
        let (content, root) = (&self.content[..], &self.summary.root);
        let quoted = |text: &str, quote: String, between: &str| match quote.len() <= MAX_QUOTE_OCTETS {
            true => below(text, &quote, between),
            false => text.to_owned(),
        };
        let plain = match &letter.html {
            Some(_) => letter.plain.as_deref(),
            None => Some(letter.plain.as_deref().unwrap_or_default()),
        };
        let html = letter.html.as_deref();
        Letter {
            plain: plain.map(|text| quoted(text, quote_text(content, root), "\n\n")),
            html: html.map(|html| quoted(html, quote_html(content, root), "<br>\n")),
            ..letter
        }
    }

    /// A letter with this message as a file: as it stands, but for whom it went to unseen by the others, and made 7-bit, since
    /// a message within another is not to be encoded (RFC 2046 §5.2.1).
    #[must_use]
    pub fn wrapped_in(&self, mut letter: Letter) -> Letter {
        let is_blind = |name: &[u8]| name.eq_ignore_ascii_case(b"Bcc") || name.eq_ignore_ascii_case(b"Resent-Bcc");
        let content = remove_fields(&self.content, |name, _| is_blind(name));
        let encoded = Some(&content).filter(|content| !content.is_ascii());
        let encoded = encoded.and_then(|content| to_seven_bit(content)).map(Bytes::from);
        letter.attachments.push(OutgoingAttachment {
            filename: Some("message.eml".into()),
            content_type: "message/rfc822".into(),
            content: encoded.unwrap_or(content),
            content_id: None,
            inline: false,
        });
        letter
    }

    /// A letter with this message below its text, and its files.
    #[must_use]
    pub fn forwarded_in(&self, letter: Letter) -> Letter {
        let mut letter = self.below(letter);
        let files = forward_attachments(&self.content, &self.summary.root);
        letter.attachments.extend(files);
        letter
    }

    /// A letter with this message below its text.
    #[must_use]
    pub fn below(&self, letter: Letter) -> Letter {
        let root = &self.summary.root;
        let plain = letter.plain.as_deref().unwrap_or_default();
        // Without HTML of the caller's own, its text is not there to stand above the forwarded HTML.
        let html = letter.html.as_deref();
        let html = html.map(|html| below(html, &forward_html(&self.content, root), "<br>\r\n"));
        let plain = Some(below(plain, &forward_text(&self.content, root), "\r\n\r\n"));
        Letter { plain, html, ..letter }
    }
}

fn below(text: &str, quoted: &str, between: &str) -> String {
    match text.is_empty() {
        true => quoted.to_owned(),
        false => format!("{text}{between}{quoted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::{extract_html, extract_text, summarize};

    fn source(content: &'static str) -> Source {
        Source {
            email_id: EmailId::new(),
            thread_id: ThreadId::new(),
            summary: summarize(content.as_bytes()),
            outbound: false,
            content: Bytes::from_static(content.as_bytes()),
        }
    }

    fn letter(plain: Option<&str>, html: Option<&str>) -> Letter {
        Letter {
            plain: plain.map(str::to_owned),
            html: html.map(str::to_owned),
            ..Letter::default()
        }
    }

    const TEXT: &str = "From: Ann <ann@example.net>\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nSubject: S\r\n\r\nWhat now?\r\n\r\n> earlier\r\n";
    const HTML: &str = "From: ann@example.net\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nContent-Type: text/html\r\n\r\n\
        <html><body><p>What <b>now</b>?</p></body></html>\r\n";

    #[test]
    fn what_is_new_in_an_answer_is_what_was_given() {
        for content in [TEXT, HTML] {
            let source = source(content);
            let answer = source.quoted_in(letter(Some("Wait.\n\nThen go."), Some("<p>Wait.</p>")));
            let (plain, html) = (answer.plain.unwrap(), answer.html.unwrap());
            assert!(plain.contains("> What now?") && html.contains("now"), "{plain} {html}");
            assert_eq!(extract_text(&plain).trim_end(), "Wait.\n\nThen go.");
            let new = extract_html(&html);
            assert!(
                new.contains("<p>Wait.</p>") && !new.contains("now") && !new.contains("wrote"),
                "{new}"
            );
        }
    }

    #[test]
    fn a_message_goes_along_whole() {
        let source = source(
            "From: ann@example.net\r\nBcc: spy@example.net\r\nRESENT-Bcc: mole@example.net,\r\n spy@example.net\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u{f6}\u{df}e\r\n",
        );
        let wrapped = source.wrapped_in(letter(None, None));
        let file = &wrapped.attachments[0];
        assert_eq!(file.content_type, "message/rfc822");
        let summary = summarize(&file.content);
        assert!(file.content.is_ascii() && summary.envelope.bcc.is_none());
        let text = String::from_utf8_lossy(&file.content);
        assert!(!text.contains("mole@") && !text.contains("spy@"), "{text}");
        assert_eq!(
            postroom_message::plain_text(&file.content, &summary.root).as_deref(),
            Some("Gr\u{f6}\u{df}e\r\n")
        );
    }

    #[test]
    fn an_answer_has_the_forms_that_were_given() {
        let source = source(TEXT);
        let of = |plain, html| {
            let answer = source.quoted_in(letter(plain, html));
            (answer.plain.is_some(), answer.html.is_some())
        };
        assert_eq!(of(Some("x"), None), (true, false));
        assert_eq!(of(None, Some("x")), (false, true));
        assert_eq!(of(Some("x"), Some("x")), (true, true));
        assert_eq!(of(None, None), (true, false));
    }

    #[test]
    fn what_is_too_long_is_not_quoted() {
        let long = Source {
            content: Bytes::from(format!("Subject: S\r\n\r\n{}", "word \r\n".repeat(1 << 18))),
            ..source(TEXT)
        };
        let long = Source {
            summary: summarize(&long.content),
            ..long
        };
        assert_eq!(long.quoted_in(letter(Some("x"), None)).plain.as_deref(), Some("x"));
    }
}
