//! The plain data that goes in and out.

use crate::{DraftId, Letter};
use postroom_identity::Signature;
use postroom_mailstore::{Content, DraftRecord};
use postroom_message::{Mailbox, OutgoingAttachment};
use postroom_types::{EmailId, InboxId, OrganizationId, PodId, Summary, ThreadId, Uid};
use serde::{Deserialize, Serialize};

/// A draft as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub id: DraftId,
    /// Whose it is.
    pub inbox: InboxId,
    /// Its own labels; those that its state gives it are not among them.
    pub labels: Vec<String>,
    /// What its maker calls it.
    pub client_id: Option<String>,
    /// What the request said that made it, if that has to be known.
    pub request: Option<String>,
    /// The Message-ID of the message that it passes on, without angle brackets.
    pub forward_of: Option<String>,
    /// The message that it passes on, whether that is still there or not, and how.
    pub passes_on: Option<(EmailId, Passing)>,
    /// The thread that it will join, if that is known.
    pub thread: Option<ThreadId>,
    /// Whether it answers all that a message went to.
    pub reply_all: bool,
    /// When it is to go, milliseconds since 1970 UTC.
    pub send_at: Option<i64>,
    /// How far that is.
    pub send_status: Option<SendStatus>,
    /// When its content was written, milliseconds since 1970 UTC.
    pub updated_at: i64,
    /// When it was made, milliseconds since 1970 UTC.
    pub created_at: i64,
    /// The message, as it stands in Drafts.
    pub record: DraftRecord,
    /// What is known of the message.
    pub summary: Summary,
}

impl Draft {
    /// The version of the message: each change makes another one.
    #[must_use]
    pub const fn email_id(&self) -> EmailId {
        self.record.message.email_id
    }

    /// Counts the versions of the message: a later one has a higher number, and no two have the same.
    #[must_use]
    pub const fn generation(&self) -> Uid {
        self.record.uid
    }

    /// Where its bytes are.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.record.message.content
    }
}

/// How far the sending of a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// It waits for its time.
    Scheduled,
    /// It is being sent.
    Sending,
    /// It was refused, and is not tried again before another time is set.
    Failed,
}

/// A draft to be made.
#[derive(Clone, Debug, Default)]
pub struct NewDraft {
    /// What is given of the message.
    pub letter: GivenLetter,
    /// What it is.
    pub kind: NewKind,
    /// Its labels.
    pub labels: Vec<String>,
    /// When it is to go, milliseconds since 1970 UTC.
    pub send_at: Option<i64>,
    /// What its maker calls it: the same again is the same draft.
    pub client_id: Option<String>,
    /// What the request says, as a hash of it, to tell whether the same again is the same request.
    pub request: Option<String>,
    /// How it passes a message on, if it does.
    pub passing: Passing,
    /// What it answers, beside what its kind says.
    pub context: GivenContext,
}

/// How a draft passes a message on. The default is below its text, with its files, in its thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// As a file, whole.
    #[serde(default)]
    pub wrapped: bool,
    /// Without its files.
    #[serde(default)]
    pub without_files: bool,
    /// In a thread of its own.
    #[serde(default)]
    pub new_thread: bool,
}

/// What a draft answers, as far as it is given; `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenContext {
    /// In-Reply-To, without angle brackets; `Some(None)` takes it away.
    pub in_reply_to: Option<Option<String>>,
    /// References, oldest first, without angle brackets.
    pub references: Option<Vec<String>>,
    /// The thread that the message joins; `Some(None)`: that of what it answers, else a new one.
    pub thread: Option<Option<ThreadId>>,
}

impl GivenContext {
    /// Whether it says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a draft is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewKind {
    /// A message of its own.
    #[default]
    Message,
    /// An answer.
    Reply {
        /// To this message.
        of: EmailId,
        /// To all that it went to.
        all: bool,
    },
    /// A message passed on.
    Forward {
        /// This one.
        of: EmailId,
    },
}

/// The parts of a letter that are given; `None` leaves what is there, or what the kind of the draft fills in.
#[derive(Clone, Debug, Default)]
pub struct GivenLetter {
    /// To.
    pub to: Option<Vec<Mailbox>>,
    /// Cc.
    pub cc: Option<Vec<Mailbox>>,
    /// Bcc.
    pub bcc: Option<Vec<Mailbox>>,
    /// Reply-To.
    pub reply_to: Option<Vec<Mailbox>>,
    /// Subject; empty takes it away.
    pub subject: Option<String>,
    /// The text; `Some(None)` takes it away.
    pub plain: Option<Option<String>>,
    /// The text as HTML; `Some(None)` takes it away.
    pub html: Option<Option<String>>,
    /// Files to be added.
    pub attachments: Vec<OutgoingAttachment>,
}

impl GivenLetter {
    /// Whether it says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let addressed = self.to.is_some() || self.cc.is_some() || self.bcc.is_some() || self.reply_to.is_some();
        let said = self.subject.is_some() || self.plain.is_some() || self.html.is_some();
        !(addressed || said) && self.attachments.is_empty()
    }

    /// Puts what is given into a letter.
    pub(crate) fn put_into(self, letter: &mut Letter) {
        let put = |given: Option<Vec<Mailbox>>, there: &mut Vec<Mailbox>| {
            if let Some(given) = given {
                *there = given;
            }
        };
        put(self.to, &mut letter.to);
        put(self.cc, &mut letter.cc);
        put(self.bcc, &mut letter.bcc);
        put(self.reply_to, &mut letter.reply_to);
        if let Some(subject) = self.subject {
            letter.subject = subject;
        }
        if let Some(plain) = self.plain {
            letter.plain = plain;
        }
        if let Some(html) = self.html {
            letter.html = html;
        }
        letter.attachments.extend(self.attachments);
    }
}

/// What to change in a draft.
#[derive(Clone, Debug, Default)]
pub struct DraftChange {
    /// What is given of the message; its files are added.
    pub letter: GivenLetter,
    /// Files to be taken out: their places among the leaves of the message, as [`postroom_message::attachments`] has them.
    pub remove_attachments: Vec<usize>,
    /// The version of the message that these places speak of.
    pub version: Option<EmailId>,
    /// Labels to be added.
    pub add_labels: Vec<String>,
    /// Labels to be taken away; one that is named in both goes.
    pub remove_labels: Vec<String>,
    /// When it is to go; `Some(None)`: not by itself.
    pub send_at: Option<Option<i64>>,
    /// What it answers.
    pub context: GivenContext,
    /// The version that is to be changed; any, if it is not given.
    pub generation: Option<Uid>,
}

/// Where drafts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In one inbox.
    Inbox(InboxId),
    /// In the inboxes of a pod.
    Pod(OrganizationId, PodId),
    /// In all inboxes of an organization.
    Organization(OrganizationId),
}

/// Which drafts are listed. Newest first, unless `ascending`.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where.
    pub scope: Scope,
    /// Those that have all of these labels; `scheduled` is one.
    pub labels: Vec<String>,
    /// Those written then or later, milliseconds since 1970 UTC.
    pub since: Option<i64>,
    /// Those written before.
    pub before: Option<i64>,
    /// Oldest first.
    pub ascending: bool,
    /// Where an earlier page of the same list ended.
    pub after: Option<Place>,
    /// Of which inboxes that page was.
    pub group: Group,
    /// Most of one page.
    pub limit: usize,
}

/// Where a page of a list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the last draft was written.
    pub at: i64,
    /// Its inbox.
    pub inbox: InboxId,
    /// Its place there.
    pub uid: Uid,
}

/// Inboxes whose drafts stand in one order: of many thousands some after the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Those made after this one.
    pub behind: Option<InboxId>,
    /// Up to and including this one; `None`: all, or as many as make a group.
    pub until: Option<InboxId>,
}

/// A page of a list; it may be empty and still not be the last.
#[derive(Clone, Debug, Default)]
pub struct DraftPage {
    /// The drafts.
    pub drafts: Vec<Draft>,
    /// Where to go on among the inboxes of its group; `None` at the end of them. Drafts of one inbox have no other end.
    pub next: Option<Place>,
    /// Its group.
    pub group: Group,
}

impl DraftPage {
    /// Where the list goes on, in which group; `None` at its end.
    #[must_use]
    pub fn goes_on(&self) -> Option<(Group, Option<Place>)> {
        match (self.next, self.group.until) {
            (Some(place), _) => Some((self.group, Some(place))),
            (None, Some(last)) => {
                let behind = Some(last);
                Some((Group { behind, until: None }, None))
            }
            (None, None) => None,
        }
    }
}

/// How a draft is sent.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    /// Labels that the sent message gets beside those of the draft.
    pub add_labels: Vec<String>,
    /// Labels of the draft that it does not get.
    pub remove_labels: Vec<String>,
    /// So that a request that is repeated is done once.
    pub idempotency: Option<postroom_intake::Idempotency>,
    /// The version that is to be sent; any, if it is not given.
    pub generation: Option<Uid>,
    /// What is put below its text.
    pub signature: Signature,
}
