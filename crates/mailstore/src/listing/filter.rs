//! What a list is asked for, and whether a message is that.

use crate::Labels;
use crate::labels::Known;
use crate::rows::InboxRow;
use postroom_message::{address_text, fold};
use postroom_types::{AddressEntry, Summary};

/// Which of the mail that lists leave out is wanted in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Include {
    /// What is in Spam.
    pub spam: bool,
    /// What is in Trash.
    pub trash: bool,
    /// What is in Blocked.
    pub blocked: bool,
    /// What came without proof of who sent it.
    pub unauthenticated: bool,
}

impl Include {
    /// Everything.
    pub const ALL: Self = Self {
        spam: true,
        trash: true,
        blocked: true,
        unauthenticated: true,
    };

    /// Whether a message with these labels is among what is wanted. A draft never is.
    #[must_use]
    pub const fn shows(&self, labels: &Labels) -> bool {
        !labels.draft
            && (!labels.spam || self.spam)
            && (!labels.trash || self.trash)
            && (!labels.blocked || self.blocked)
            && (!labels.unauthenticated || self.unauthenticated)
    }
}

/// What a list is to hold. The default is all that is not hidden, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// What came before this time, milliseconds since 1970 UTC.
    pub before: Option<i64>,
    /// What came at this time or later.
    pub after: Option<i64>,
    /// Oldest first.
    pub ascending: bool,
    /// Labels, in lower case, all of which it has.
    pub labels: Vec<String>,
    /// What is not left out.
    pub include: Include,
    /// Texts, each of which is somewhere in From.
    pub from: Vec<String>,
    /// Texts, each of which is somewhere in To, Cc or Bcc.
    pub to: Vec<String>,
    /// Texts, each of which is somewhere in the subject.
    pub subject: Vec<String>,
}

/// A query as it is asked of messages.
pub(crate) struct Filter<'a> {
    query: &'a ListQuery,
    from: Vec<String>,
    to: Vec<String>,
    subject: Vec<String>,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(query: &'a ListQuery) -> Self {
        let folded = |texts: &[String]| texts.iter().map(|text| fold(text)).collect();
        Self {
            query,
            from: folded(&query.from),
            to: folded(&query.to),
            subject: folded(&query.subject),
        }
    }

    /// Whether a message is taken, as far as that is told without its summary.
    pub(crate) fn takes(&self, known: &Known, roles: &InboxRow) -> bool {
        let labels = known.labels(roles);
        self.takes_time(known.row.received_at) && self.query.include.shows(&labels) && self.takes_labels(&labels)
    }

    pub(crate) fn takes_time(&self, at: i64) -> bool {
        self.query.before.is_none_or(|before| at < before) && self.query.after.is_none_or(|after| at >= after)
    }

    pub(crate) fn takes_labels(&self, labels: &Labels) -> bool {
        self.query.labels.iter().all(|label| labels.contains(label))
    }

    /// Whether summaries have to be asked.
    pub(crate) fn asks_texts(&self) -> bool {
        ![&self.from, &self.to, &self.subject]
            .iter()
            .all(|texts| texts.is_empty())
    }

    pub(crate) fn takes_text(&self, summary: &Summary) -> bool {
        self.takes_texts(&[summary])
    }

    /// Whether each text is in one of these messages: those of a thread.
    pub(crate) fn takes_texts(&self, summaries: &[&Summary]) -> bool {
        let has = |wanted: &[String], of: fn(&Summary) -> String| {
            wanted.is_empty() || {
                let texts: Vec<String> = summaries.iter().map(|summary| of(summary)).collect();
                wanted
                    .iter()
                    .all(|needle| texts.iter().any(|text| text.contains(needle)))
            }
        };
        has(&self.from, |summary| text_of(&[&summary.envelope.from]))
            && has(&self.to, |summary| {
                let envelope = &summary.envelope;
                text_of(&[&envelope.to, &envelope.cc, &envelope.bcc])
            })
            && has(&self.subject, |summary| fold(&summary.subject_text))
    }
}

fn text_of(lists: &[&Option<Vec<AddressEntry>>]) -> String {
    let texts = lists.iter().copied().flatten().map(|entries| address_text(entries));
    fold(&texts.collect::<Vec<_>>().join(", "))
}
