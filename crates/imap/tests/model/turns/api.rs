//! What happens to the mail from elsewhere: deliveries, and changes as the API makes them.

use super::Turns;
use crate::client::{Check, ensure};
use crate::command::Kind;
use crate::dice::Dice;
use crate::mail::Moment;
use crate::truth::{Mode, Span};
use crate::view::Flags;
use postroom_mailstore::{FlagMode, MailboxRef};
use postroom_types::{Flag, Keyword, MailboxId, MessageFlags, Uid};
use std::collections::{BTreeMap, BTreeSet};

impl Turns {
    pub(super) async fn api(&mut self, kind: Kind, dice: &mut Dice) -> Check {
        let before = self.world.modseq().await;
        // What is done gets MODSEQs up to whatever the inbox has then.
        self.bench.truth.now = Span {
            after: before,
            upto: u64::MAX,
        };
        let infos = self
            .world
            .mailstore
            .mailboxes(self.world.inbox.id)
            .await
            .map_err(|e| e.to_string())?;
        let ids: BTreeMap<String, MailboxId> = infos.into_iter().map(|info| (info.name, info.id)).collect();
        let truth = &self.bench.truth;
        let there: BTreeSet<&String> = ids.keys().collect();
        ensure!(there == truth.names.keys().collect(), "there are {there:?}");
        let names: Vec<&String> = ids
            .keys()
            .filter(|name| crate::plan::NAMES.contains(&name.as_str()))
            .collect();
        let one = dice.pick(&names).clone();
        let other = dice.pick(&names).clone();
        match kind {
            Kind::ApiDeliver => self.deliver(ids[&one], &one, dice).await?,
            Kind::ApiMany => {
                for _ in 0..320 {
                    self.deliver(ids["INBOX"], "INBOX", dice).await?;
                }
            }
            Kind::ApiFlags => self.api_flags(&ids, dice).await?,
            Kind::ApiMove if one != other => self.api_move((&one, ids[&one]), (&other, ids[&other]), dice).await?,
            _ => self.api_expunge(&one, ids[&one], dice).await?,
        }
        let after = self.world.modseq().await;
        self.bench.truth.close_span(after);
        Ok(())
    }

    async fn deliver(&mut self, id: MailboxId, name: &str, dice: &mut Dice) -> Check {
        let mail = self.bench.post.write(dice);
        let date = Moment::some(dice);
        self.log
            .note("API", format!("delivers {} to {name}", mail.number).as_bytes());
        let placed = self.world.deliver(&mail.octets, date, MailboxRef::Id(id)).await;
        let placed = placed.map_err(|e| e.to_string())?;
        let uid = placed.first().ok_or("nothing placed")?.uid.get();
        let truth = &mut self.bench.truth;
        let id = truth.names[name];
        truth.add(id, Some(uid), mail, Flags::new(), Some(date))?;
        Ok(())
    }

    async fn api_flags(&mut self, ids: &BTreeMap<String, MailboxId>, dice: &mut Dice) -> Check {
        let (mailstore, inbox) = (&self.world.mailstore, self.world.inbox.id);
        let records = mailstore.messages(inbox, None, 400).await.map_err(|e| e.to_string())?;
        if records.is_empty() {
            return Ok(());
        }
        let record = &records[dice.below(records.len())];
        let (mode, api_mode) = dice.pick(&[
            (Mode::Add, FlagMode::Add),
            (Mode::Remove, FlagMode::Remove),
            (Mode::Replace, FlagMode::Replace),
        ]);
        let (name, flag) = dice.pick(&[
            ("\\seen", Flag::Seen),
            ("\\flagged", Flag::Flagged),
            ("\\deleted", Flag::Deleted),
        ]);
        let mut flags = MessageFlags::default();
        flags.system = flags.system.with(flag);
        let mut change = Flags::from([name.to_owned()]);
        if dice.chance(30) {
            flags.keywords.extend(Keyword::new("work"));
            change.insert("work".to_owned());
        }
        let names: BTreeMap<MailboxId, &String> = ids.iter().map(|(name, id)| (*id, name)).collect();
        self.log.note(
            "API",
            format!("{mode:?} {change:?} of {:?}", record.placements).as_bytes(),
        );
        let done = mailstore
            .store_message_flags(inbox, record.email_id, api_mode, &flags)
            .await;
        ensure!(
            done.map_err(|e| e.to_string())?,
            "a message that is listed has no flags"
        );
        let truth = &mut self.bench.truth;
        let placements: BTreeSet<(u32, u32)> = record
            .placements
            .iter()
            .map(|(mailbox, uid)| (truth.names[names[mailbox].as_str()], uid.get()))
            .collect();
        let right = placements.first().map(|place| truth.placements(*place));
        ensure!(
            right.as_ref() == Some(&placements),
            "the message is at {placements:?}, should be at {right:?}"
        );
        placements
            .iter()
            .for_each(|(id, uid)| truth.set_flags(*id, *uid, mode, &change));
        Ok(())
    }

    fn some_of(&self, name: &str, dice: &mut Dice) -> Vec<u32> {
        let uids = self
            .bench
            .truth
            .by_name(name)
            .map(|mailbox| mailbox.uids())
            .unwrap_or_default();
        uids.into_iter().filter(|_| dice.chance(25)).take(300).collect()
    }

    async fn api_move(&mut self, from: (&str, MailboxId), to: (&str, MailboxId), dice: &mut Dice) -> Check {
        let uids = self.some_of(from.0, dice);
        self.log
            .note("API", format!("moves {uids:?} from {} to {}", from.0, to.0).as_bytes());
        let moved = self
            .world
            .mailstore
            .move_messages(self.world.inbox.id, from.1, &typed(&uids), to.1)
            .await;
        let pairs = moved.map_err(|e| e.to_string())?.pairs;
        ensure!(pairs.len() == uids.len(), "moved {pairs:?}");
        let truth = &mut self.bench.truth;
        let (source, target) = (truth.names[from.0], truth.names[to.0]);
        for (uid, new) in pairs {
            let message = truth.expunge(source, uid.get()).ok_or("it was there")?;
            truth.put(target, Some(new.get()), message)?;
        }
        Ok(())
    }

    async fn api_expunge(&mut self, name: &str, id: MailboxId, dice: &mut Dice) -> Check {
        let uids = self.some_of(name, dice);
        self.log.note("API", format!("expunges {uids:?} of {name}").as_bytes());
        let gone = self
            .world
            .mailstore
            .expunge(self.world.inbox.id, id, &typed(&uids), false)
            .await;
        ensure!(
            gone.map_err(|e| e.to_string())? == typed(&uids),
            "not all were expunged"
        );
        let truth = &mut self.bench.truth;
        let id = truth.names[name];
        uids.iter().for_each(|uid| drop(truth.expunge(id, *uid)));
        Ok(())
    }
}

fn typed(uids: &[u32]) -> Vec<Uid> {
    uids.iter().filter_map(|uid| Uid::new(*uid)).collect()
}
