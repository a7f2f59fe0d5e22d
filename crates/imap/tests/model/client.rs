//! A client that believes only what it is told, and knows what may be told when.

pub(crate) use crate::heard::{Fetched, Heard, Opening, Running};
use crate::parse::{Condition, Response, Value, number_set};
use crate::view::{Cache, View, flags_of};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Nothing, or what was wrong.
pub(crate) type Check<T = ()> = Result<T, String>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// What a client enables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Rev1,
    Condstore,
    Qresync,
    Rev2,
    Rev2Qresync,
}

impl Dialect {
    pub(crate) const fn condstore(self) -> bool {
        matches!(self, Self::Condstore | Self::Qresync | Self::Rev2Qresync)
    }

    pub(crate) const fn qresync(self) -> bool {
        matches!(self, Self::Qresync | Self::Rev2Qresync)
    }

    pub(crate) const fn rev2(self) -> bool {
        matches!(self, Self::Rev2 | Self::Rev2Qresync)
    }

    pub(crate) const fn enable(self) -> Option<&'static str> {
        match self {
            Self::Rev1 => None,
            Self::Condstore => Some("CONDSTORE"),
            Self::Qresync => Some("QRESYNC"),
            Self::Rev2 => Some("IMAP4rev2"),
            Self::Rev2Qresync => Some("IMAP4rev2 QRESYNC"),
        }
    }
}

/// See the head of this file.
pub(crate) struct Client {
    pub(crate) dialect: Dialect,
    pub(crate) capabilities: BTreeSet<String>,
    pub(crate) view: Option<View>,
    /// The view that a SELECT under way will leave or make.
    pub(crate) caches: BTreeMap<String, Cache>,
    /// `$`: UIDs.
    pub(crate) saved: Option<BTreeSet<u32>>,
    pub(crate) running: VecDeque<Running>,
    pub(crate) heard: Heard,
    pub(crate) go_on: bool,
    next_tag: u32,
}

impl Client {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            capabilities: BTreeSet::new(),
            view: None,
            caches: BTreeMap::new(),
            saved: None,
            running: VecDeque::new(),
            heard: Heard::default(),
            go_on: false,
            next_tag: 0,
        }
    }

    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    pub(crate) fn tag(&mut self) -> String {
        self.next_tag += 1;
        format!("t{}", self.next_tag)
    }

    /// The connection is gone; what was believed of the selected mailbox is kept for the next one.
    pub(crate) fn disconnect(&mut self) {
        self.leave();
        self.running.clear();
        self.heard = Heard::default();
        self.go_on = false;
    }

    /// The selected mailbox is left.
    pub(crate) fn leave(&mut self) {
        if let Some(view) = self.view.take()
            && let Some(cache) = view.into_cache()
        {
            self.caches.insert(cache.name.clone(), cache);
        }
        self.saved = None;
    }

    /// Takes a response in. Gives the command it ends, with all that was said for it.
    pub(crate) fn take(&mut self, response: Response) -> Check<Option<(Running, Heard)>> {
        match response {
            Response::GoOn => {
                ensure!(!self.running.is_empty(), "a continuation without a command");
                self.go_on = true;
                Ok(None)
            }
            Response::Status { tag, condition, code } => self.take_status(tag, condition, code),
            Response::Data(data) => {
                self.take_data(data)?;
                Ok(None)
            }
        }
    }

    fn take_status(
        &mut self,
        tag: Option<String>,
        condition: Condition,
        code: Vec<Value>,
    ) -> Check<Option<(Running, Heard)>> {
        if !code.is_empty() {
            self.take_code(&code);
            self.heard.codes.push(code);
        }
        let Some(tag) = tag else {
            self.heard.bye |= condition == Condition::Bye;
            return Ok(None);
        };
        ensure!(condition != Condition::Bye, "a tagged BYE");
        let Some(running) = self.running.pop_front() else {
            return Err(format!("{tag} was answered twice, or never given"));
        };
        ensure!(running.tag == tag, "{tag} was answered before {}", running.tag);
        if let Some(view) = &mut self.view {
            view.synchronise();
        }
        let mut heard = std::mem::take(&mut self.heard);
        heard.condition = Some(condition);
        Ok(Some((running, heard)))
    }

    fn take_code(&mut self, code: &[Value]) {
        let number = code.get(1).and_then(Value::number);
        match (code[0].word().as_str(), number) {
            ("CLOSED", _) => self.leave(),
            ("HIGHESTMODSEQ", Some(number)) => {
                if let Some(view) = &mut self.view {
                    view.highest_told = Some(number);
                }
            }
            _ => {}
        }
    }

    fn take_data(&mut self, data: Vec<Value>) -> Check {
        ensure!(!data.is_empty(), "an empty response");
        let number = data[0].number().and_then(|number| u32::try_from(number).ok());
        match (number, data.get(1).map(Value::word).as_deref(), data[0].word().as_str()) {
            (Some(count), Some("EXISTS"), _) => self.take_exists(count),
            (Some(_), Some("RECENT"), _) => {
                ensure!(!self.dialect.rev2(), "RECENT, though IMAP4rev2 is enabled");
                Ok(())
            }
            (Some(seq), Some("EXPUNGE"), _) => {
                ensure!(!self.dialect.qresync(), "EXPUNGE, though QRESYNC is enabled");
                self.may_expunge()?;
                if self.is_opening() {
                    self.heard.opening.push(Opening::Expunge(seq));
                    return Ok(());
                }
                self.selected("EXPUNGE")?.expunge(seq)
            }
            (Some(seq), Some("FETCH"), _) => self.take_fetch(seq, data.get(2)),
            (_, _, "VANISHED") => self.take_vanished(&data[1..]),
            _ => {
                self.heard.data.push(data);
                Ok(())
            }
        }
    }

    fn selected(&mut self, what: &str) -> Check<&mut View> {
        self.view
            .as_mut()
            .ok_or_else(|| format!("{what}, though no mailbox is selected"))
    }

    /// Whether what is told now is of the mailbox that a SELECT is about to open: the one before is left with CLOSED.
    fn is_opening(&self) -> bool {
        let selecting = self.running.front().is_some_and(|running| running.verb == "SELECT");
        selecting && (self.view.is_none() || !self.can("QRESYNC"))
    }

    /// Whether EXPUNGE or VANISHED may be told now (RFC 9051 §7.5.1).
    fn may_expunge(&self) -> Check {
        let Some(running) = self.running.front() else {
            return Err("an expunge while no command is in progress".to_owned());
        };
        let fixed = matches!(running.verb, "FETCH" | "STORE" | "SEARCH" | "SORT" | "THREAD") && !running.by_uid;
        ensure!(!fixed, "an expunge during {}", running.verb);
        Ok(())
    }

    fn take_exists(&mut self, count: u32) -> Check {
        if self.is_opening() {
            self.heard.opening.push(Opening::Exists(count));
            return Ok(());
        }
        self.selected("EXISTS")?.grow(count)
    }

    fn take_vanished(&mut self, data: &[Value]) -> Check {
        ensure!(self.dialect.qresync(), "VANISHED, though QRESYNC is not enabled");
        let earlier = data.first().and_then(Value::list).is_some();
        let set = data
            .get(usize::from(earlier))
            .and_then(Value::text)
            .ok_or("VANISHED without UIDs")?;
        let uids = number_set(&set)?;
        if earlier {
            let verb = self.running.front().map_or("", |running| running.verb);
            ensure!(matches!(verb, "SELECT" | "FETCH"), "VANISHED (EARLIER) during {verb:?}");
            self.heard.vanished_earlier.extend(uids);
            return Ok(());
        }
        self.may_expunge()?;
        if self.is_opening() {
            self.heard.opening.extend(uids.into_iter().map(Opening::Vanished));
            return Ok(());
        }
        let view = self.selected("VANISHED")?;
        uids.into_iter().try_for_each(|uid| view.vanish(uid))
    }

    fn take_fetch(&mut self, seq: u32, items: Option<&Value>) -> Check {
        let list = items.and_then(Value::list).ok_or("FETCH without items")?;
        let mut items = BTreeMap::new();
        for pair in list.chunks(2) {
            let [name, value] = pair else {
                return Err("FETCH item without its value".to_owned());
            };
            items.insert(name.word(), value.clone());
        }
        let number = |name: &str| items.get(name).and_then(Value::number);
        let mut fetched = Fetched {
            seq,
            uid: number("UID").and_then(|uid| u32::try_from(uid).ok()),
            flags: items.get("FLAGS").map(flags_of).transpose()?,
            modseq: items.get("MODSEQ").and_then(|value| value.list()?.first()?.number()),
            items,
        };
        ensure!(
            fetched.modseq.is_some() || !fetched.items.contains_key("MODSEQ"),
            "MODSEQ without a number"
        );
        self.check_unasked(&fetched)?;
        let rev2 = self.dialect.rev2();
        if self.is_opening() {
            self.heard.opening.push(Opening::Fetched(fetched.clone()));
            self.heard.fetched.push(fetched);
            return Ok(());
        }
        let view = self.selected("FETCH")?;
        fetched.uid = view.fetched(&fetched)?;
        if rev2 && let Some(Value::List(flags)) = fetched.items.get("FLAGS") {
            ensure!(
                flags.iter().all(|flag| flag.word() != "\\RECENT"),
                "\\Recent, though IMAP4rev2 is enabled"
            );
        }
        self.heard.fetched.push(fetched);
        Ok(())
    }

    /// Flags that were not asked for come with UID and MODSEQ, once CONDSTORE is enabled (RFC 7162 §3.2.4).
    fn check_unasked(&self, fetched: &Fetched) -> Check {
        let asked = self.running.front().map_or(&[][..], |running| &running.asked);
        if fetched.items.contains_key("FLAGS") && !asked.contains(&"FLAGS") && self.dialect.condstore() {
            ensure!(
                fetched.items.contains_key("UID") && fetched.items.contains_key("MODSEQ"),
                "flags are told without UID or MODSEQ, though CONDSTORE is enabled"
            );
        }
        if !self.dialect.condstore() && !asked.contains(&"MODSEQ") {
            ensure!(fetched.modseq.is_none(), "MODSEQ, though nobody enabled CONDSTORE");
        }
        Ok(())
    }
}
