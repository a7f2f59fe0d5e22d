//! What NOTIFY SET asks for (RFC 5465 §8, `event-groups`).

use super::fetch_items::FetchSpec;
use super::{Bad, Parsed, Scanner, mailbox_name};
use crate::question::{Watch, WatchedMailboxes};

/// The arguments of NOTIFY SET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventGroups {
    /// Counts of the watched mailboxes are wanted at once.
    pub(crate) status: bool,
    /// `None`: nothing is to be told of the selected mailbox (RFC 5465 §3.1).
    pub(crate) selected: Option<SelectedEvents>,
    pub(crate) watches: Vec<Watch>,
    /// An event was named that there is none of here.
    pub(crate) unsupported: bool,
}

/// What is to be told of the selected mailbox; new and expunged messages in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SelectedEvents {
    /// Expunges wait for a command that may tell of them (RFC 5465 §6.1.2).
    pub(crate) delayed: bool,
    /// Flags that others change.
    pub(crate) flags: bool,
    /// What is told of new messages.
    pub(crate) fetch: Option<FetchSpec>,
}

impl EventGroups {
    /// Everything after SET.
    pub(crate) fn parse(scanner: &mut Scanner<'_>, utf8: bool) -> Parsed<Self> {
        let mut groups = Self {
            status: scanner.eat_ignoring_case(b" STATUS"),
            ..Self::default()
        };
        let mut selected_named = false;
        loop {
            scanner.space()?;
            scanner.expect(b'(', "Event group expected")?;
            match Mailboxes::parse(scanner, utf8)? {
                Mailboxes::Selected { delayed } => {
                    if std::mem::replace(&mut selected_named, true) {
                        return Err(Bad("Only one of SELECTED and SELECTED-DELAYED"));
                    }
                    let events = Events::parse(scanner)?;
                    groups.unsupported |= events.unsupported;
                    groups.selected = events.of_selected(delayed)?;
                }
                Mailboxes::Others(mailboxes) => {
                    let events = Events::parse(scanner)?;
                    groups.unsupported |= events.unsupported;
                    groups.watches.extend(events.of_others(mailboxes)?);
                }
            }
            scanner.expect(b')', ") expected")?;
            let mut ahead = scanner.clone();
            if ahead.end().is_ok() {
                return Ok(groups);
            }
        }
    }
}

/// `filter-mailboxes`
enum Mailboxes {
    Selected { delayed: bool },
    Others(WatchedMailboxes),
}

impl Mailboxes {
    fn parse(scanner: &mut Scanner<'_>, utf8: bool) -> Parsed<Self> {
        let mailboxes = match scanner.atom()?.to_ascii_uppercase().as_slice() {
            b"SELECTED" => Self::Selected { delayed: false },
            b"SELECTED-DELAYED" => Self::Selected { delayed: true },
            b"INBOXES" => Self::Others(WatchedMailboxes::Inboxes),
            b"PERSONAL" => Self::Others(WatchedMailboxes::Personal),
            b"SUBSCRIBED" => Self::Others(WatchedMailboxes::Subscribed),
            b"SUBTREE" => Self::Others(WatchedMailboxes::Subtree(names(scanner, utf8)?)),
            b"MAILBOXES" => Self::Others(WatchedMailboxes::Names(names(scanner, utf8)?)),
            _ => return Err(Bad("Unknown mailbox specifier")),
        };
        scanner.space()?;
        Ok(mailboxes)
    }
}

/// `SP one-or-more-mailbox`. A name that no mailbox can have is ignored like one that none has (RFC 5465 §3.1).
fn names(scanner: &mut Scanner<'_>, utf8: bool) -> Parsed<Vec<String>> {
    scanner.space()?;
    let mut names = Vec::new();
    let mut name = |scanner: &mut Scanner<'_>| {
        names.extend(mailbox_name::parse(&scanner.astring()?, utf8));
        Ok(())
    };
    if scanner.peek() == Some(b'(') {
        scanner.list(name)?;
    } else {
        name(scanner)?;
    }
    Ok(names)
}

/// `events`
#[derive(Default)]
struct Events {
    new: bool,
    expunge: bool,
    /// FlagChange or AnnotationChange, which both need the two above.
    change: bool,
    flags: bool,
    names: bool,
    subscriptions: bool,
    /// Not of messages.
    others: bool,
    fetch: Option<FetchSpec>,
    unsupported: bool,
}

impl Events {
    fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut events = Self::default();
        if scanner.peek() == Some(b'(') {
            scanner.list(|scanner| events.event(scanner))?;
        } else if !scanner.eat_ignoring_case(b"NONE") {
            // Without parentheses, as in the example of RFC 5465 §3.1.
            loop {
                events.event(scanner)?;
                if scanner.peek() == Some(b')') {
                    break;
                }
                scanner.space()?;
            }
        }
        if events.new != events.expunge || (events.change && !events.new) {
            return Err(Bad(
                "MessageNew and MessageExpunge go together, and FlagChange with them",
            ));
        }
        Ok(events)
    }

    fn event(&mut self, scanner: &mut Scanner<'_>) -> Parsed<()> {
        match scanner.atom()?.to_ascii_uppercase().as_slice() {
            b"MESSAGENEW" => {
                self.new = true;
                let mut ahead = scanner.clone();
                if ahead.eat_ignoring_case(b" (") {
                    scanner.space()?;
                    self.fetch = Some(FetchSpec::parse(scanner)?);
                }
            }
            b"MESSAGEEXPUNGE" => self.expunge = true,
            b"FLAGCHANGE" => {
                self.change = true;
                self.flags = true;
            }
            b"MAILBOXNAME" => self.names = true,
            b"SUBSCRIPTIONCHANGE" => self.subscriptions = true,
            b"ANNOTATIONCHANGE" => {
                self.change = true;
                self.unsupported = true;
            }
            _ => {
                self.others = true;
                self.unsupported = true;
            }
        }
        Ok(())
    }

    fn of_selected(self, delayed: bool) -> Parsed<Option<SelectedEvents>> {
        if self.names || self.subscriptions || self.others {
            return Err(Bad("Only events of messages for the selected mailbox"));
        }
        Ok(self.new.then_some(SelectedEvents {
            delayed,
            flags: self.flags,
            fetch: self.fetch.map(FetchSpec::unasked),
        }))
    }

    fn of_others(self, mailboxes: WatchedMailboxes) -> Parsed<Option<Watch>> {
        if self.fetch.is_some() {
            return Err(Bad("Only of the selected mailbox are messages told"));
        }
        let wanted = self.new || self.names || self.subscriptions;
        Ok(wanted.then_some(Watch {
            mailboxes,
            messages: self.new,
            flags: self.flags,
            names: self.names,
            subscriptions: self.subscriptions,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::fetch_items::Item;

    fn parse(text: &str) -> Parsed<EventGroups> {
        EventGroups::parse(&mut Scanner::new(text.as_bytes()), false)
    }

    #[test]
    fn groups() {
        let groups = parse(
            " STATUS (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) \
             (subtree (Lists a/b) (MessageNew MessageExpunge FlagChange))",
        );
        let groups = groups.unwrap();
        assert!(groups.status && !groups.unsupported);
        let selected = groups.selected.unwrap();
        assert!(!selected.delayed && !selected.flags && selected.fetch.unwrap().items.len() == 2);
        let [watch] = groups.watches.as_slice() else {
            panic!("{:?}", groups.watches)
        };
        assert_eq!(
            watch.mailboxes,
            WatchedMailboxes::Subtree(vec!["Lists".to_owned(), "a/b".to_owned()])
        );
        assert!(watch.messages && watch.flags && !watch.names);

        let groups = parse(" (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))").unwrap();
        assert!(!groups.status && groups.selected.is_none() && groups.watches.len() == 2);
        let groups =
            parse(" (Selected-Delayed (FlagChange MessageExpunge MessageNew (body[]))) (inboxes NONE)").unwrap();
        let selected = groups.selected.unwrap();
        let fetch = selected.fetch.unwrap();
        assert!(selected.delayed && selected.flags && groups.watches.is_empty());
        assert!(fetch.items[0] == Item::Uid && !fetch.wanted.set_seen);
        assert_eq!(parse(" (selected NONE)").unwrap(), EventGroups::default());
    }

    #[test]
    fn unsupported() {
        for text in [
            " (personal (ServerMetadataChange))",
            " (personal (MailboxMetadataChange MailboxName))",
            " (selected (MessageNew MessageExpunge AnnotationChange))",
            " (personal (SomethingNew))",
        ] {
            assert!(parse(text).unwrap().unsupported, "{text}");
        }
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            " ",
            " STATUS",
            " ()",
            " (personal)",
            " (personal ())",
            " (personal MailboxName",
            " (foo (MailboxName))",
            " (personal (MessageNew))",
            " (personal (MessageExpunge))",
            " (personal (FlagChange))",
            " (selected (AnnotationChange))",
            " (personal (MessageNew (uid) MessageExpunge))",
            " (selected (MessageNew () MessageExpunge))",
            " (selected (MessageNew (foo) MessageExpunge))",
            " (selected (MailboxName))",
            " (selected NONE) (selected-delayed NONE)",
            " (mailboxes (MailboxName))",
            " (subtree () (MailboxName))",
            " (personal NONE)(inboxes NONE)",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
