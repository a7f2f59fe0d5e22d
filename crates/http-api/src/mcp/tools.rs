//! Every tool: its route, its arguments, and what it does to the world.

use super::argument::{Argument, Kind, body, idempotency_key, path, query};
use super::schema::{input, outputs};
use axum::http::Method;
use rmcp::model::{Tool, ToolAnnotations};
use std::sync::Arc;

/// A tool.
pub(super) struct Row {
    pub(super) name: &'static str,
    about: &'static str,
    pub(super) method: Method,
    /// With the names of its segments in snake_case.
    pub(super) path: &'static str,
    pub(super) arguments: &'static [&'static [Argument]],
    effect: Effect,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Reads,
    /// Nothing, unless it is asked to use up what it finds.
    Waits,
    /// Adds something here.
    Adds,
    /// Sends mail to others.
    Sends,
    /// Changes something; once more changes nothing more.
    Changes,
    /// Takes something away for good.
    Deletes,
}

impl Row {
    pub(super) fn arguments(&self) -> impl Iterator<Item = &'static Argument> {
        self.arguments.iter().flat_map(|group| group.iter())
    }

    fn annotations(&self) -> ToolAnnotations {
        let effect = self.effect;
        ToolAnnotations::with_title(self.about.split('.').next().unwrap_or_default())
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Deletes)
            .idempotent(matches!(effect, Effect::Reads | Effect::Changes | Effect::Deletes))
            .open_world(effect == Effect::Sends)
    }
}

const INBOX: &[Argument] = &[path("inboxId", "The address of the inbox")];
const THREAD: &[Argument] = &[path("threadId", "The thread")];
const MESSAGE: &[Argument] = &[path("messageId", "The message, with its angle brackets")];
const ATTACHMENT: &[Argument] = &[path("attachmentId", "The attachment")];
const DRAFT: &[Argument] = &[path("draftId", "The draft")];
const PAGE: &[Argument] = &[
    query("limit", Kind::Number, "Most items of the answer; 10 if left out"),
    query("pageToken", Kind::Text, "nextPageToken of the answer before"),
];
const BETWEEN: &[Argument] = &[
    query("before", Kind::Time, "Only what is older"),
    query("after", Kind::Time, "Only what is of this time or newer"),
];
const LISTED: &[Argument] = &[
    query("labels", Kind::Texts, "Only what has all these labels"),
    query("ascending", Kind::Flag, "The oldest first"),
];
const SHOWN: &[Argument] = &[
    query("includeSpam", Kind::Flag, "Spam too"),
    query("includeTrash", Kind::Flag, "What is in the trash too"),
];
const OF_THREADS: &[Argument] = &[
    query("senders", Kind::Texts, "Texts in the senders"),
    query("recipients", Kind::Texts, "Texts in the recipients"),
    query("subject", Kind::Texts, "Texts in the subject"),
];
const OF_MESSAGES: &[Argument] = &[
    query("from", Kind::Texts, "Texts in the sender"),
    query("to", Kind::Texts, "Texts in the recipients"),
    query("subject", Kind::Texts, "Texts in the subject"),
];
const QUERY: &[Argument] = &[query("q", Kind::Text, "What to look for").required()];
const LABELS: &[Argument] = &[
    body("addLabels", Kind::Texts, "Labels to add"),
    body("removeLabels", Kind::Texts, "Labels to remove, such as unread"),
];
const TO: &[Argument] = &[body("to", Kind::Addresses, "Recipients")];
const TO_SOMEBODY: &[Argument] = &[body("to", Kind::Addresses, "Recipients").required()];
const COPIES: &[Argument] = &[
    body("cc", Kind::Addresses, "Recipients of copies"),
    body("bcc", Kind::Addresses, "Recipients whom the others do not see"),
    body("replyTo", Kind::Addresses, "Where answers go"),
];
const SUBJECT: &[Argument] = &[body("subject", Kind::Text, "The subject")];
const TEXTS: &[Argument] = &[
    body("text", Kind::Text, "The plain text"),
    body("html", Kind::Text, "The HTML"),
];
const ENCLOSED: &[Argument] = &[
    body("labels", Kind::Texts, "Labels of the message in the inbox"),
    body("attachments", Kind::Attachments, "Files, each with content or url"),
];
const SEND_AT: &[Argument] = &[body("sendAt", Kind::Time, "When it is to be sent by itself")];
const ONCE: &[Argument] = &[idempotency_key()];
const CLIENT_ID: &[Argument] = &[body(
    "clientId",
    Kind::Text,
    "Your own name of it: the same one makes it once",
)];
const DESCRIBED: &[Argument] = &[
    body("displayName", Kind::Text, "The name that mail from it bears"),
    body(
        "metadata",
        Kind::Object,
        "What you keep with it: texts, numbers, booleans",
    ),
];
const ADDRESS: &[Argument] = &[
    body("username", Kind::Text, "Before the @; made up if left out"),
    body("domain", Kind::Text, "After the @; the server's own if left out"),
];

/// The tool that waits: its answer is not in the table of the dialect.
pub(super) const WAIT_PATH: &str = "/postroom/v1/inboxes/{inbox_id}/wait";
const WAIT: &[Argument] = &[
    query("timeout", Kind::Number, "Seconds to wait, at most 55; 30 if left out"),
    query("from", Kind::Text, "Address, domain, or text in the sender"),
    query("subject", Kind::Text, "Text in the subject"),
    query("threadId", Kind::Text, "The thread").called("thread"),
    query(
        "since",
        Kind::Text,
        "A time (RFC 3339) or `next` of an answer: mail from then on counts, also if it is there; now if left out",
    ),
    query(
        "extract",
        Kind::Choice(&["code", "link"]),
        "Wait for a mail with a one-time code or a link, and read it out",
    ),
    query(
        "purpose",
        Kind::Choice(&["verify", "reset", "login"]),
        "What the link is for",
    ),
    query(
        "dmarc",
        Kind::Choice(&["pass"]),
        "Only mail whose sender's domain is proven",
    ),
    query("consume", Kind::Flag, "Give what is read out to nobody else"),
    query("includeSpam", Kind::Flag, "Spam too"),
];

use Effect::{Adds, Changes, Deletes, Reads, Sends, Waits};

/// All of them.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row { name: "list_inboxes", about: "List inboxes.", method: Method::GET, path: "/v0/inboxes", arguments: &[PAGE], effect: Reads },
    Row { name: "get_inbox", about: "Get an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}", arguments: &[INBOX], effect: Reads },
    Row { name: "create_inbox", about: "Create an inbox.", method: Method::POST, path: "/v0/inboxes", arguments: &[ADDRESS, DESCRIBED, CLIENT_ID], effect: Adds },
    Row { name: "update_inbox", about: "Change an inbox.", method: Method::PATCH, path: "/v0/inboxes/{inbox_id}", arguments: &[INBOX, DESCRIBED], effect: Changes },
    Row { name: "delete_inbox", about: "Delete an inbox with all its mail.", method: Method::DELETE, path: "/v0/inboxes/{inbox_id}", arguments: &[INBOX], effect: Deletes },
    Row { name: "list_threads", about: "List threads of an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/threads", arguments: &[INBOX, PAGE, LISTED, BETWEEN, OF_THREADS, SHOWN], effect: Reads },
    Row { name: "search_threads", about: "Search threads of an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/threads/search", arguments: &[INBOX, QUERY, PAGE, BETWEEN], effect: Reads },
    Row { name: "get_thread", about: "Get a thread with its messages.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/threads/{thread_id}", arguments: &[INBOX, THREAD], effect: Reads },
    Row { name: "update_thread", about: "Change the labels of a thread's messages.", method: Method::PATCH, path: "/v0/inboxes/{inbox_id}/threads/{thread_id}", arguments: &[INBOX, THREAD, LABELS], effect: Changes },
    Row { name: "delete_thread", about: "Delete a thread with its messages.", method: Method::DELETE, path: "/v0/inboxes/{inbox_id}/threads/{thread_id}", arguments: &[INBOX, THREAD], effect: Deletes },
    Row { name: "get_attachment", about: "Get an attachment: its data and a link to its content.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/threads/{thread_id}/attachments/{attachment_id}", arguments: &[INBOX, THREAD, ATTACHMENT], effect: Reads },
    Row { name: "list_messages", about: "List messages of an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/messages", arguments: &[INBOX, PAGE, LISTED, BETWEEN, OF_MESSAGES, SHOWN], effect: Reads },
    Row { name: "search_messages", about: "Search messages of an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/messages/search", arguments: &[INBOX, QUERY, PAGE, BETWEEN], effect: Reads },
    Row { name: "send_message", about: "Send a message in a new thread.", method: Method::POST, path: "/v0/inboxes/{inbox_id}/messages/send", arguments: &[INBOX, TO_SOMEBODY, COPIES, SUBJECT, TEXTS, ENCLOSED, ONCE], effect: Sends },
    Row { name: "reply_to_message", about: "Answer a message.", method: Method::POST, path: "/v0/inboxes/{inbox_id}/messages/{message_id}/reply", arguments: &[INBOX, MESSAGE, &[body("replyAll", Kind::Flag, "To all who got it")], TO, COPIES, TEXTS, ENCLOSED, ONCE], effect: Sends },
    Row { name: "forward_message", about: "Forward a message.", method: Method::POST, path: "/v0/inboxes/{inbox_id}/messages/{message_id}/forward", arguments: &[INBOX, MESSAGE, TO_SOMEBODY, COPIES, SUBJECT, TEXTS, ENCLOSED, ONCE], effect: Sends },
    Row { name: "update_message", about: "Change the labels of a message.", method: Method::PATCH, path: "/v0/inboxes/{inbox_id}/messages/{message_id}", arguments: &[INBOX, MESSAGE, LABELS], effect: Changes },
    Row { name: "create_draft", about: "Write a draft.", method: Method::POST, path: "/v0/inboxes/{inbox_id}/drafts", arguments: &[INBOX, TO, COPIES, SUBJECT, TEXTS, ENCLOSED, &[body("inReplyTo", Kind::Text, "The message it answers")], SEND_AT, CLIENT_ID], effect: Adds },
    Row { name: "list_drafts", about: "List drafts of an inbox.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/drafts", arguments: &[INBOX, PAGE, LISTED, BETWEEN], effect: Reads },
    Row { name: "get_draft", about: "Get a draft.", method: Method::GET, path: "/v0/inboxes/{inbox_id}/drafts/{draft_id}", arguments: &[INBOX, DRAFT], effect: Reads },
    Row { name: "update_draft", about: "Change a draft.", method: Method::PATCH, path: "/v0/inboxes/{inbox_id}/drafts/{draft_id}", arguments: &[INBOX, DRAFT, TO, COPIES, SUBJECT, TEXTS, SEND_AT], effect: Changes },
    Row { name: "send_draft", about: "Send a draft.", method: Method::POST, path: "/v0/inboxes/{inbox_id}/drafts/{draft_id}/send", arguments: &[INBOX, DRAFT, ONCE], effect: Sends },
    Row { name: "delete_draft", about: "Delete a draft.", method: Method::DELETE, path: "/v0/inboxes/{inbox_id}/drafts/{draft_id}", arguments: &[INBOX, DRAFT], effect: Deletes },
    Row { name: "agent_verify", about: "Verify the agent with the code mailed to its human.", method: Method::POST, path: "/v0/agent/verify", arguments: &[&[body("otpCode", Kind::Text, "The code").required()]], effect: Changes },
    Row { name: "wait_for_message", about: "Wait for a message, and read a code or link out of it.", method: Method::GET, path: WAIT_PATH, arguments: &[INBOX, WAIT, ONCE], effect: Waits },
];

/// As clients are told of them.
pub(super) fn described() -> Vec<Tool> {
    let outputs = outputs();
    let tool = |row: &Row| {
        let tool = Tool::new(row.name, row.about, Arc::new(input(row))).with_annotations(row.annotations());
        match outputs.of(row) {
            Some(output) => tool.with_raw_output_schema(Arc::new(output)),
            None => tool,
        }
    };
    ROWS.iter().map(tool).collect()
}
