//! NOTIFY (RFC 5465): what is told while no command runs, and of mailboxes that are not selected.
//!
//! News of other mailboxes wait in [`Notify`] until they may be told, at most [`PENDING`] of them; new messages of the
//! selected one until what was asked of them has been fetched.

use super::fetch::Fetch;
use crate::grammar::Scanner;
use crate::grammar::event_groups::{EventGroups, SelectedEvents};
use crate::grammar::sequence_set::UidRanges;
use crate::grammar::status_items::StatusItem;
use crate::question::{Answer, Fault, MailboxEntry, OtherNews, Question, StatusData, Watch};
use crate::response::mailbox::{write_list, write_list_with_oldname};
use crate::response::status::write_status;
use crate::session::{Flow, Phase, Refusal, Session, Task};
use crate::view::View;
use postroom_types::{MailboxId, Uid, UidValidity};

/// Most news that wait. More than that, and nothing more is told until the next NOTIFY (RFC 5465 §5.8).
const PENDING: usize = 4_000;

/// What the client has asked to be told of.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    selected: Selected,
    /// FlagChange is watched somewhere, so that counts are told with HIGHESTMODSEQ (RFC 5465 §3.1).
    watches_flags: bool,
    /// Other mailboxes are watched at all.
    watches: bool,
    pending: Vec<OtherNews>,
    overflowed: bool,
    /// New messages that were counted in EXISTS, and of which more is to be told.
    new_messages: Vec<Uid>,
    /// Messages that the client has put into the selected mailbox itself: of these it knows enough (RFC 5465 §5.2).
    own: Vec<Uid>,
    /// The command that runs expunges messages itself, so that it is told of them.
    pub(crate) expunging: bool,
}

/// What is told of the selected mailbox, and when.
#[derive(Debug, Default)]
enum Selected {
    /// NOTIFY was not used: everything, when a command ends and during IDLE.
    #[default]
    AsEver,
    Nothing,
    Events(SelectedEvents),
}

impl Notify {
    /// Whether new and expunged messages of the selected mailbox are told.
    pub(crate) fn tells_messages(&self) -> bool {
        self.expunging || !matches!(self.selected, Selected::Nothing)
    }

    /// Whether flags that others have changed are told.
    pub(crate) fn tells_flags(&self) -> bool {
        match &self.selected {
            Selected::AsEver => true,
            Selected::Nothing => false,
            Selected::Events(events) => events.flags,
        }
    }

    /// Whether the selected mailbox is told of while no command runs, and if so, whether expunges are.
    fn at_once(&self) -> Option<bool> {
        match &self.selected {
            Selected::Events(events) => Some(!events.delayed),
            Selected::AsEver | Selected::Nothing => None,
        }
    }

    /// Whether more than EXISTS is told of new messages.
    fn announces_new(&self) -> bool {
        matches!(&self.selected, Selected::Events(events) if events.fetch.is_some())
    }

    /// Takes in news of other mailboxes. Newer counts replace those that wait.
    pub(crate) fn absorb(&mut self, others: Vec<OtherNews>) {
        for news in others {
            if !self.watches {
                return;
            }
            if let Some(waiting) = self
                .pending
                .iter_mut()
                .find(|waiting| is_of_same_counts(waiting, &news))
            {
                merge_counts(waiting, news);
            } else if self.pending.len() < PENDING {
                self.pending.push(news);
            } else {
                *self = Self {
                    selected: Selected::Nothing,
                    overflowed: true,
                    ..Self::default()
                };
            }
        }
    }

    /// The messages above `last` were just counted in EXISTS.
    pub(crate) fn counted(&mut self, view: &View, last: Option<Uid>) {
        if !self.announces_new() {
            return;
        }
        let own = std::mem::take(&mut self.own);
        let first = last.map_or(Some(Uid::MIN), |last| Uid::new(last.get().checked_add(1)?));
        if let Some((first, last)) = first.zip(view.last_uid()) {
            let new = view.between(first, last, usize::MAX);
            self.new_messages
                .extend(new.filter(|uid| own.binary_search(uid).is_err()));
        }
    }
}

fn is_of_same_counts(waiting: &OtherNews, news: &OtherNews) -> bool {
    match (waiting, news) {
        (OtherNews::Status { name, .. }, OtherNews::Status { name: newer, .. }) => name == newer,
        _ => false,
    }
}

fn merge_counts(waiting: &mut OtherNews, mut news: OtherNews) {
    if let (
        OtherNews::Status {
            flags_only: waiting, ..
        },
        OtherNews::Status { flags_only, .. },
    ) = (&*waiting, &mut news)
    {
        *flags_only &= *waiting;
    }
    *waiting = news;
}

pub(super) fn notify(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    if args.eat_ignoring_case(b"NONE") {
        args.end()?;
        return Flow::ask(Question::Watch(Vec::new()), Watching(EventGroups::default()));
    }
    if !args.eat_ignoring_case(b"SET") {
        return Err(Refusal::Bad("SET or NONE expected"));
    }
    let groups = EventGroups::parse(args, session.enabled.utf8_names())?;
    if groups.unsupported {
        return Err(Refusal::No(
            "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)",
            "This event is not told of here",
        ));
    }
    // What has happened until now is told whatever is asked for from now on (RFC 5465 §3.1).
    match session.phase {
        Phase::Selected(_) => Flow::ask(Question::Poll, UntilNow(groups)),
        Phase::NotAuthenticated | Phase::Authenticated => watch(groups),
    }
}

fn watch(groups: EventGroups) -> Result<Flow, Refusal> {
    Flow::ask(Question::Watch(groups.watches.clone()), Watching(groups))
}

struct UntilNow(EventGroups);

impl Task for UntilNow {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::News(news) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        session.absorb(news);
        let before = std::mem::take(&mut session.notify.selected);
        session.tell_at_once();
        session.notify.selected = before;
        watch(self.0)
    }
}

struct Watching(EventGroups);

impl Task for Watching {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Watching(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let counts = result.map_err(|fault| match fault {
            Fault::Limit => Refusal::No("NOTIFICATIONOVERFLOW", "That is too much to watch"),
            other => other.into(),
        })?;
        let EventGroups {
            status,
            selected,
            watches,
            ..
        } = self.0;
        session.notify = Notify {
            selected: selected.map_or(Selected::Nothing, Selected::Events),
            watches: !watches.is_empty(),
            watches_flags: watches.iter().any(|watch: &Watch| watch.flags),
            ..Notify::default()
        };
        if !session.notify.tells_messages() {
            session.end_updates("Nothing more is told of this mailbox");
        }
        if status {
            let selected = selected_id(session);
            for (name, data) in counts.iter().filter(|(_, data)| Some(data.id) != selected) {
                session.tell_counts(name, data, false);
            }
        }
        Flow::ok("NOTIFY completed")
    }
}

/// Of the selected mailbox, counts are no news: what happens there is told otherwise.
fn selected_id(session: &Session) -> Option<MailboxId> {
    match &session.phase {
        Phase::Selected(view) => view.id(),
        Phase::NotAuthenticated | Phase::Authenticated => None,
    }
}

impl Session {
    /// Tells what may be told while no command runs. Whether that is what happens in the selected mailbox.
    pub(crate) fn tell_between_commands(&mut self) -> bool {
        match self.notify.at_once() {
            Some(true) => self.tell_at_once(),
            Some(false) => {
                // Without expunges there is no HIGHESTMODSEQ to go with them.
                let _none = self.tell(false);
            }
            None => {
                self.tell_others();
                return false;
            }
        }
        true
    }

    /// Tells the news of other mailboxes.
    pub(crate) fn tell_others(&mut self) {
        if std::mem::take(&mut self.notify.overflowed) {
            self.out
                .line("* OK [NOTIFICATIONOVERFLOW] Too much has happened; nothing more is told");
            self.end_updates("Nothing more is told of this mailbox");
        }
        let selected = selected_id(self);
        for news in std::mem::take(&mut self.notify.pending) {
            match news {
                OtherNews::Status { data, .. } if Some(data.id) == selected => {}
                OtherNews::Status { name, data, flags_only } => self.tell_counts(&name, &data, flags_only),
                OtherNews::Mailbox {
                    entry,
                    old_name,
                    has_children,
                } => self.tell_mailbox(&entry, old_name.as_deref(), has_children),
            }
        }
    }

    /// RFC 5465 §5.1–§5.3.
    fn tell_counts(&mut self, name: &str, data: &StatusData, flags_only: bool) {
        let mut items = if flags_only {
            vec![StatusItem::UidValidity, StatusItem::Unseen]
        } else {
            vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity]
        };
        if self.enabled.condstore || self.notify.watches_flags {
            items.push(StatusItem::HighestModSeq);
        }
        write_status(self, name, &items, data, 0);
    }

    /// RFC 5465 §5.4, §5.5.
    fn tell_mailbox(&mut self, entry: &MailboxEntry, old_name: Option<&str>, has_children: bool) {
        let attributes = [
            (!entry.exists).then_some("\\NonExistent"),
            entry.subscribed.then_some("\\Subscribed"),
            has_children.then_some("\\HasChildren"),
            (entry.exists && !has_children).then_some("\\HasNoChildren"),
            entry.special_use.map(|special| special.attribute()),
        ];
        let attributes: Vec<&str> = attributes.into_iter().flatten().collect();
        let utf8 = self.enabled.utf8_names();
        let out = self.out.buffer();
        match old_name {
            Some(old_name) => write_list_with_oldname(out, &attributes, &entry.name, utf8, old_name),
            None => write_list(out, "LIST", &attributes, &entry.name, utf8),
        }
    }

    /// The client has just made these messages, in the mailbox with this UIDVALIDITY.
    pub(crate) fn has_made(&mut self, uid_validity: UidValidity, uids: impl IntoIterator<Item = Uid>) {
        let Phase::Selected(view) = &self.phase else { return };
        if view.uid_validity() == Some(uid_validity) && self.notify.announces_new() {
            self.notify.own.extend(uids);
            self.notify.own.sort_unstable();
        }
    }

    /// What is to be asked to tell of new messages what the client wants to know of them.
    pub(crate) fn next_announcement(&mut self) -> Option<(Question, Box<dyn Task>)> {
        let new = std::mem::take(&mut self.notify.new_messages);
        let Selected::Events(SelectedEvents { fetch: Some(spec), .. }) = &self.notify.selected else {
            return None;
        };
        if new.is_empty() {
            return None;
        }
        let fetch = Fetch::unasked(UidRanges::of(new), spec.clone(), self);
        match fetch.next(self) {
            Ok(Flow::Ask(question, task)) => Some((question, task)),
            _ => None,
        }
    }
}
