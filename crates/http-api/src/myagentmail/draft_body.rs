//! What drafts are to be, read from the dialect's JSON.

use super::letter::{attachments, check_subject, list};
use crate::error::{ApiError, invalid};
use crate::request::Fields;
use postroom_drafts::{Draft, DraftChange, GivenLetter, NewDraft};
use postroom_message::{Mailbox, attachments as files_of};
use postroom_types::EmailId;

/// A draft to be made, and the message that it answers. `null` is the same as leaving a field out.
pub(super) fn new(mut fields: Fields) -> Result<(NewDraft, Option<EmailId>), ApiError> {
    fields.leave_out_nulls();
    let answers = answered(&mut fields)?;
    let letter = letter(&mut fields)?;
    let new = NewDraft {
        letter,
        ..NewDraft::default()
    };
    Ok((new, answers))
}

/// What to change of a draft; `null` takes a value away, and the files that are given replace those that are there.
/// Besides, the message that the draft is to answer.
pub(super) fn change(mut fields: Fields, there: &Draft) -> Result<(DraftChange, Option<EmailId>), ApiError> {
    let replaces_files = fields.has("attachments");
    let answers = answered(&mut fields)?;
    let files = files_of(&there.summary.root).into_iter();
    let change = DraftChange {
        letter: letter(&mut fields)?,
        remove_attachments: match replaces_files {
            true => files.map(|file| file.index).collect(),
            false => Vec::new(),
        },
        version: Some(there.email_id()),
        ..DraftChange::default()
    };
    Ok((change, answers))
}

fn answered(fields: &mut Fields) -> Result<Option<EmailId>, ApiError> {
    let id = fields.text("replyToMessageId")?;
    let id = id.map(|id| {
        id.parse()
            .map_err(|_| invalid("replyToMessageId is the id of a message"))
    });
    id.transpose()
}

/// What is given of the message.
fn letter(fields: &mut Fields) -> Result<GivenLetter, ApiError> {
    // Said again when it is sent, if at all.
    fields.flag("verified")?;
    let subject = fields.change("subject", Fields::text)?.map(Option::unwrap_or_default);
    if let Some(subject) = &subject {
        check_subject(subject)?;
    }
    Ok(GivenLetter {
        to: people(fields, "to")?,
        cc: people(fields, "cc")?,
        bcc: people(fields, "bcc")?,
        reply_to: people(fields, "replyTo")?,
        subject,
        plain: fields.change("plainBody", Fields::text)?,
        html: fields.change("htmlBody", Fields::text)?,
        attachments: attachments(fields)?,
    })
}

fn people(fields: &mut Fields, name: &str) -> Result<Option<Vec<Mailbox>>, ApiError> {
    let found = fields.change(name, |fields, name| list(fields, name).map(Some))?;
    Ok(found.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fields(body: Value) -> Fields {
        Fields::parse(body.to_string().as_bytes()).expect("an object")
    }

    #[test]
    fn what_is_left_out_is_not_given() {
        let (made, answers) = new(fields(json!({ "to": null, "subject": null, "plainBody": null }))).expect("a draft");
        assert!(made.letter.is_empty() && answers.is_none());
        let body = json!({ "to": "a@b", "cc": ["c@d", "E <e@f>"], "bcc": [], "subject": "s", "htmlBody": "h" });
        let letter = new(fields(body)).expect("a draft").0.letter;
        let counts = [letter.to, letter.cc, letter.bcc, letter.reply_to].map(|list| list.map(|list| list.len()));
        assert_eq!(counts, [Some(1), Some(2), Some(0), None]);
        assert_eq!(
            (letter.subject.as_deref(), letter.plain, letter.html),
            (Some("s"), None, Some(Some("h".into())))
        );
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            json!({ "to": 1 }),
            json!({ "cc": ["a@b\r\nX: y"] }),
            json!({ "subject": "a\nb" }),
            json!({ "subject": [] }),
            json!({ "plainBody": {} }),
            json!({ "attachments": "x" }),
            json!({ "replyToMessageId": 7 }),
            json!({ "replyToMessageId": "x" }),
            json!({ "verified": "x" }),
        ] {
            assert!(matches!(new(fields(bad.clone())), Err(ApiError::Invalid(_))), "{bad}");
        }
    }
}
