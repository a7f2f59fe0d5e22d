//! What messages and attachments are called (agentmail.md §3 "Identifiers").
//!
//! What always holds: a name, once shown, is that of the same message as long as it exists. A message is called by its
//! Message-ID if that was its alone when it came; else, and if it has none, by an id of ours that nobody can have sent.

use super::failure::{Answer, Failure};
use crate::State;
use postroom_mailstore::{Include, Listed};
use postroom_types::{EmailId, InboxId, Summary};

/// The domain of our own ids; no mail bears one rightly (RFC 2606 §2).
const OWN_DOMAIN: &str = "@postroom.invalid";
/// How often a message is looked for again that moved while it was read.
const LOOKS: usize = 3;

/// The `message_id` of a message.
pub(crate) fn message_id(listed: &Listed) -> String {
    name(listed.record.email_id, listed.record.is_named, &listed.summary)
}

fn name(email_id: EmailId, is_named: bool, summary: &Summary) -> String {
    match &summary.message_id {
        Some(id) if is_named && !id.ends_with(OWN_DOMAIN) => format!("<{id}>"),
        _ => own(email_id),
    }
}

/// The id of ours of a message: it names the message whatever its Message-ID is.
pub(crate) fn own(email_id: EmailId) -> String {
    format!("<{email_id}{OWN_DOMAIN}>")
}

/// The `attachment_id` of a leaf of a message: it tells the message too, since threads are asked for it alone.
pub(crate) fn attachment_id(email_id: EmailId, index: usize) -> String {
    format!("{email_id}.{index}")
}

/// What an `attachment_id` names.
pub(crate) fn parse_attachment_id(text: &str) -> Option<(EmailId, usize)> {
    let (email_id, index) = text.rsplit_once('.')?;
    let parsed = (email_id.parse().ok()?, index.parse().ok()?);
    // One form only.
    (attachment_id(parsed.0, parsed.1) == text).then_some(parsed)
}

/// The message of an inbox that an id names, if it is among what may be seen. Never a draft.
pub(crate) async fn find(state: &State, inbox: InboxId, id: &str, may_see: Include) -> Answer<Listed> {
    for _ in 0..LOOKS {
        let ids = candidates(state, inbox, id).await?;
        let found = state.mailstore().list_of(inbox, &ids).await?;
        let all = found.len();
        let wanted = bracketed(id);
        let mut shown = found.into_iter().filter(|listed| !listed.labels.draft).peekable();
        // Of an older store several may be called by one Message-ID: the first. The one that is called so may also be gone,
        // or not be found by its Message-ID any more: another that bears it is as good as it.
        let first = shown.peek().cloned();
        if let Some(found) = shown.find(|listed| message_id(listed) == wanted).or(first) {
            return Some(found)
                .filter(|found| may_see.shows(&found.labels))
                .ok_or_else(Failure::not_found);
        }
        if all == ids.len() {
            break;
        }
    }
    Err(Failure::not_found())
}

/// Messages that may be called so, oldest first.
async fn candidates(state: &State, inbox: InboxId, id: &str) -> Answer<Vec<EmailId>> {
    let bare = bare(id);
    if let Some(own) = bare.strip_suffix(OWN_DOMAIN) {
        return Ok(own.parse().into_iter().collect());
    }
    Ok(state.mailstore().find_message_ids(inbox, bare).await?)
}

fn bare(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

fn bracketed(id: &str) -> String {
    format!("<{}>", bare(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_messages() {
        let id: EmailId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let check = |message_id: Option<&str>, is_named, expected: &str| {
            let summary = Summary {
                message_id: message_id.map(str::to_owned),
                ..Summary::default()
            };
            assert_eq!(name(id, is_named, &summary), expected);
        };
        let own = "<01890a5d-ac96-774b-bcce-b302099a8057@postroom.invalid>";
        check(Some("a/b@c"), true, "<a/b@c>");
        check(Some("a@c"), false, own);
        check(None, false, own);
        check(Some("x@postroom.invalid"), true, own);
    }

    #[test]
    fn names_of_attachments() {
        let id = EmailId::new();
        assert_eq!(parse_attachment_id(&attachment_id(id, 12)), Some((id, 12)));
        for bad in [
            "",
            ".",
            "x.1",
            &format!("{id}.01"),
            &format!("{id}."),
            &format!("{id}.-1"),
        ] {
            assert_eq!(parse_attachment_id(bad), None, "{bad}");
        }
    }
}
