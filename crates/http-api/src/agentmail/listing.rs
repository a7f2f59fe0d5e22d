//! What lists of messages and of threads are asked for (agentmail.md §8, §9).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::message_view::FATES;
use super::operations::{ASCENDING, Kind, LIMIT, PAGE_TOKEN, Parameter};
use super::wire::{Asked, OneOrMany};
use crate::auth;
use postroom_mailstore::{Include, LabelChange, LabelError, ListQuery};

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind }
}

const LABELS: Parameter = parameter("labels", Kind::Texts);
const BEFORE: Parameter = parameter("before", Kind::Time);
const AFTER: Parameter = parameter("after", Kind::Time);
const INCLUDE_SPAM: Parameter = parameter("include_spam", Kind::Flag);
const INCLUDE_BLOCKED: Parameter = parameter("include_blocked", Kind::Flag);
const INCLUDE_TRASH: Parameter = parameter("include_trash", Kind::Flag);
const INCLUDE_UNAUTHENTICATED: Parameter = parameter("include_unauthenticated", Kind::Flag);
const SUBJECT: Parameter = parameter("subject", Kind::Texts);

/// Of lists of messages.
pub(super) const MESSAGES: &[Parameter] = &[
    LIMIT,
    PAGE_TOKEN,
    LABELS,
    BEFORE,
    AFTER,
    ASCENDING,
    INCLUDE_SPAM,
    INCLUDE_BLOCKED,
    INCLUDE_TRASH,
    INCLUDE_UNAUTHENTICATED,
    parameter("from", Kind::Texts),
    parameter("to", Kind::Texts),
    SUBJECT,
];

/// Of lists of threads.
pub(super) const THREADS: &[Parameter] = &[
    LIMIT,
    PAGE_TOKEN,
    LABELS,
    BEFORE,
    AFTER,
    ASCENDING,
    INCLUDE_SPAM,
    INCLUDE_BLOCKED,
    INCLUDE_TRASH,
    INCLUDE_UNAUTHENTICATED,
    parameter("senders", Kind::Texts),
    parameter("recipients", Kind::Texts),
    SUBJECT,
];

/// Of lists of drafts.
pub(super) const DRAFTS: &[Parameter] = &[LIMIT, PAGE_TOKEN, LABELS, BEFORE, AFTER, ASCENDING];

/// Of searches.
pub(super) const SEARCHES: &[Parameter] = &[super::operations::QUERY_TEXT, LIMIT, PAGE_TOKEN, BEFORE, AFTER];

/// The names of the parameters that choose what is in a list.
pub(super) fn filters(parameters: &'static [Parameter]) -> Vec<&'static str> {
    let paging = [LIMIT.name, PAGE_TOKEN.name, ASCENDING.name];
    let names = parameters.iter().map(|parameter| parameter.name);
    names.filter(|name| !paging.contains(name)).collect()
}

/// What of the hidden mail the key may see at all.
pub(crate) fn may_see(call: &Call) -> Include {
    auth::may_see(&call.principal)
}

/// A list that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) query: ListQuery,
    /// Labels that the queue knows and not the mailbox.
    pub(super) fates: Vec<String>,
}

impl Wanted {
    /// Reads the filters; `senders` and `recipients` are what the addresses are called in this list. A label that is asked
    /// for is not left out.
    pub(super) fn read(call: &Call, asked: &Asked, senders: &str, recipients: &str, ascending: bool) -> Answer<Self> {
        let mut labels: Vec<String> = asked.texts("labels")?;
        labels.iter_mut().for_each(|label| *label = label.trim().to_lowercase());
        let is_asked = |label: &str, flag: &str| -> Answer<bool> {
            Ok(asked.flag(flag)? || labels.iter().any(|asked| asked == label))
        };
        let may_see = may_see(call);
        let include = Include {
            spam: is_asked("spam", INCLUDE_SPAM.name)? && may_see.spam,
            trash: is_asked("trash", INCLUDE_TRASH.name)? && may_see.trash,
            blocked: is_asked("blocked", INCLUDE_BLOCKED.name)? && may_see.blocked,
            unauthenticated: is_asked("unauthenticated", INCLUDE_UNAUTHENTICATED.name)? && may_see.unauthenticated,
        };
        let is_fate = |label: &mut String| FATES.contains(&label.as_str());
        let fates: Vec<String> = labels.extract_if(.., is_fate).collect();
        if !fates.is_empty() {
            labels.push("sent".into());
        }
        Ok(Self {
            query: ListQuery {
                before: asked.time(BEFORE.name)?,
                after: asked.time(AFTER.name)?,
                ascending,
                labels,
                include,
                from: asked.texts(senders)?,
                to: asked.texts(recipients)?,
                subject: asked.texts(SUBJECT.name)?,
            },
            fates,
        })
    }

    /// Whether labels hold what the mailbox does not know of.
    pub(super) fn takes_fates(&self, labels: &[String]) -> bool {
        self.fates.iter().all(|fate| labels.contains(fate))
    }
}

/// A change of labels as a body has it; it has to ask for something.
pub(super) fn label_change(add: Option<OneOrMany>, remove: Option<OneOrMany>) -> Answer<LabelChange> {
    let add = add.map(OneOrMany::into_vec).unwrap_or_default();
    let remove = remove.map(OneOrMany::into_vec).unwrap_or_default();
    let check = |field: &str, labels: &[String]| match LabelChange::new(labels, &[]) {
        Ok(_) => Ok(()),
        Err(error @ (LabelError::Server(_) | LabelError::Malformed(_))) => {
            Err(Failure::field(field, error.to_string()))
        }
    };
    check("add_labels", &add)?;
    check("remove_labels", &remove)?;
    let change = LabelChange::new(&add, &remove).map_err(|error| Failure::invalid(error.to_string()))?;
    if change.is_empty() {
        return Err(Failure::invalid("add_labels or remove_labels needs a label"));
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_labels() {
        let change = |add: &[&str], remove: &[&str]| {
            let many = |labels: &[&str]| {
                Some(OneOrMany::Many(
                    labels.iter().map(|label| (*label).to_owned()).collect(),
                ))
            };
            label_change(many(add), many(remove))
        };
        assert!(change(&["Work"], &[]).is_ok());
        assert!(change(&[], &["unread"]).is_ok());
        for (add, remove) in [
            (&[][..], &[][..]),
            (&["sent"], &[]),
            (&[], &["Received"]),
            (&["delivered"], &[]),
            (&[""], &[]),
            (&["a\nb"], &[]),
        ] {
            let failure = change(add, remove).err().unwrap();
            assert_eq!(failure.status.as_u16(), 400, "{add:?} {remove:?}");
        }
    }

    #[test]
    fn what_names_a_list() {
        assert!(filters(MESSAGES).contains(&"from") && !filters(MESSAGES).contains(&"limit"));
        assert_eq!(filters(SEARCHES), ["q", "before", "after"]);
    }
}
