//! What a client concludes from the end of its own commands, with no knowledge of the truth.

use crate::client::{Check, Client, Dialect, Heard, Opening, ensure};
use crate::command::{Command, What};
use crate::parse::Condition;
use crate::view::{Cache, Known, View};

/// A command has ended.
pub(crate) fn conclude(client: &mut Client, command: &Command, heard: &Heard) -> Check {
    ensure!(heard.condition != Some(Condition::Bad), "BAD to a good command");
    match &command.what {
        What::Select {
            name,
            read_only,
            resync,
            enables,
        } => {
            client.enable_condstore(*enables);
            client.leave();
            if heard.is_ok() {
                let view = opened(client, name, *read_only, resync.as_deref(), heard)?;
                client.view = Some(view);
            }
        }
        What::Close | What::Unselect if heard.is_ok() => client.leave_silently(matches!(command.what, What::Close)),
        What::Store { uids, silent: true, .. } => stored_silently(client, command, heard, uids)?,
        What::Fetch { asked, .. } => client.enable_condstore(asked.contains(&"MODSEQ")),
        _ => {}
    }
    Ok(())
}

/// `.SILENT` says nothing of what the client can work out.
fn stored_silently(client: &mut Client, command: &Command, heard: &Heard, uids: &[u32]) -> Check {
    let What::Store { mode, flags, .. } = &command.what else {
        return Ok(());
    };
    let Some(view) = &mut client.view else { return Ok(()) };
    let refused = view.modified(command.by_uid, heard)?;
    for known in &mut view.messages {
        let Some(uid) = known.uid.filter(|uid| uids.contains(uid)) else {
            continue;
        };
        let told = heard
            .fetched
            .iter()
            .any(|fetched| fetched.uid == Some(uid) && fetched.flags.is_some());
        if told || refused.contains(&uid) {
            continue;
        }
        known.flags_at = None;
        known.flags = match heard.is_ok() {
            true => known.flags.as_ref().map(|believed| mode.apply(believed, flags)),
            false => None,
        };
    }
    Ok(())
}

/// The view of a mailbox that was just opened: what was kept, less what vanished, with what was told.
fn opened(client: &Client, name: &str, read_only: bool, resync: Option<&Cache>, heard: &Heard) -> Check<View> {
    let number = |code: &str| heard.code_number(code).and_then(|number| u32::try_from(number).ok());
    let mut told = heard.opening.iter();
    let Some(Opening::Exists(count)) = told.next() else {
        return Err("SELECT does not begin with EXISTS".to_owned());
    };
    let mut view = View {
        name: name.to_owned(),
        id: 0,
        read_only,
        uid_validity: number("UIDVALIDITY").ok_or("SELECT without UIDVALIDITY")?,
        uid_next: number("UIDNEXT").ok_or("SELECT without UIDNEXT")?,
        messages: vec![Known::default(); *count as usize],
        highest: 0,
        highest_told: None,
        highest_fetched: 0,
    };
    let mode = if read_only { "READ-ONLY" } else { "READ-WRITE" };
    ensure!(heard.code(mode).is_some(), "SELECT without {mode}");
    ensure!(heard.data("FLAGS").next().is_some(), "SELECT without FLAGS");
    if client.dialect.rev2() {
        ensure!(
            heard.data("LIST").next().is_some(),
            "SELECT without LIST, though IMAP4rev2 is enabled"
        );
    }
    let cache = resync.filter(|cache| cache.uid_validity == view.uid_validity);
    ensure!(
        cache.is_some() || heard.vanished_earlier.is_empty(),
        "VANISHED (EARLIER) to who knows nothing"
    );
    if let Some(cache) = cache {
        let kept = cache.messages.range(..cache.next).map(|(_, known)| known);
        let kept: Vec<&Known> = kept
            .filter(|known| known.uid.is_some_and(|uid| !heard.vanished_earlier.contains(&uid)))
            .collect();
        ensure!(
            kept.len() <= view.messages.len(),
            "{} messages are left, but {count} exist",
            kept.len()
        );
        for (place, known) in view.messages.iter_mut().zip(kept) {
            *place = known.clone();
        }
    }
    for told in told {
        take(&mut view, told, cache)?;
    }
    if client.can("CONDSTORE") {
        let highest = heard
            .code_number("HIGHESTMODSEQ")
            .ok_or("SELECT without HIGHESTMODSEQ")?;
        ensure!(highest > 0, "HIGHESTMODSEQ 0");
        if client.dialect.condstore() {
            view.highest = highest;
        }
        view.highest_fetched = 0;
    }
    Ok(view)
}

fn take(view: &mut View, told: &Opening, cache: Option<&Cache>) -> Check {
    match told {
        Opening::Exists(count) => view.grow(*count),
        Opening::Expunge(seq) => view.expunge(*seq),
        Opening::Vanished(uid) => view.vanish(*uid),
        Opening::Fetched(fetched) => {
            if let Some(cache) = cache {
                let (Some(uid), Some(_), Some(modseq)) = (fetched.uid, &fetched.flags, fetched.modseq) else {
                    return Err("resynchronisation without UID, FLAGS or MODSEQ".to_owned());
                };
                let since = cache.highest;
                ensure!(
                    modseq > since,
                    "UID {uid} with MODSEQ {modseq} was known, up to {since}"
                );
            }
            view.fetched(fetched).map(drop)
        }
    }
}

impl View {
    /// UIDs of a MODIFIED code.
    pub(crate) fn modified(&self, by_uid: bool, heard: &Heard) -> Check<Vec<u32>> {
        let Some(code) = heard.code("MODIFIED") else {
            return Ok(Vec::new());
        };
        let text = code
            .first()
            .and_then(crate::parse::Value::text)
            .ok_or("MODIFIED without numbers")?;
        let numbers = crate::parse::number_set(&text)?;
        if by_uid {
            return Ok(numbers);
        }
        let uid = |number: u32| self.messages.get(number as usize - 1).and_then(|known| known.uid);
        numbers
            .into_iter()
            .map(|number| uid(number).ok_or_else(|| format!("MODIFIED {number}")))
            .collect()
    }
}

impl Client {
    /// A CONDSTORE enabling command was given, or not.
    fn enable_condstore(&mut self, given: bool) {
        if given && self.dialect == Dialect::Rev1 {
            self.dialect = Dialect::Condstore;
        }
    }

    /// CLOSE expunges without a word, so what was marked may be gone or not: the next connection asks.
    fn leave_silently(&mut self, _expunged: bool) {
        self.leave();
    }
}
