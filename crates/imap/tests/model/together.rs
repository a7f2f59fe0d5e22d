//! All at once: sessions and the API run concurrently, in an order that nobody knows. Each client watches the rules;
//! when all is quiet, all have to know the same.

use crate::client::{Check, Client, Dialect, Heard, ensure};
use crate::command::{Command, Kind, Step};
use crate::dice::Dice;
use crate::judge::{Before, Judge, Log};
use crate::mail::{Mail, Moment, Post};
use crate::parse::Value;
use crate::seat::Seat;
use crate::view::View;
use crate::world::World;
use postroom_mailstore::{FlagMode, MailError, MailboxRef};
use postroom_types::{Flag, MessageFlags, Uid};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What all clients together have seen.
#[derive(Default)]
struct Seen {
    post: Post,
    /// What stands under a UID, by UIDVALIDITY.
    contents: BTreeMap<(u32, u32), Arc<Mail>>,
    /// Mailboxes are deleted, so connections may be closed.
    deletes: bool,
}

/// Knows nothing of the order in which things happen.
struct Loose(Rc<RefCell<Seen>>);

impl Judge for Loose {
    fn between(&mut self, _: u64, _: u64) {}

    fn judge(&mut self, client: &mut Client, _: &Command, heard: &Heard, _: &Before) -> Check {
        let mut seen = self.0.borrow_mut();
        let Some(view) = &client.view else { return Ok(()) };
        for fetched in &heard.fetched {
            let (Some(uid), Some(Value::Text(octets))) = (fetched.uid, fetched.items.get("BODY[]")) else {
                continue;
            };
            let mail = seen
                .post
                .recognise(octets)
                .ok_or_else(|| format!("UID {uid} is no message that was made"))?;
            let known = seen
                .contents
                .entry((view.uid_validity, uid))
                .or_insert_with(|| Arc::clone(&mail));
            ensure!(*known == mail, "UID {uid} was {} and is {}", known.number, mail.number);
        }
        Ok(())
    }

    fn is_gone(&self, _: u32) -> bool {
        false
    }

    fn may_close(&self, _: u32) -> bool {
        self.0.borrow().deletes
    }

    fn is_in_step(&self, _: &Client) -> Check {
        Ok(())
    }
}

/// Plays a program, each session its steps; gives the number of commands.
pub(crate) async fn play(world: World, dialects: &[Dialect], program: &[Step], log: Log) -> Check<u64> {
    let world = Rc::new(world);
    let deletes = program.iter().any(|step| step.kind == Kind::Delete);
    let seen = Rc::new(RefCell::new(Seen {
        deletes,
        ..Seen::default()
    }));
    let local = tokio::task::LocalSet::new();
    let mut tasks = Vec::new();
    for (number, dialect) in dialects.iter().enumerate() {
        let seat = Seat::new(number, *dialect, log.clone());
        let steps: Vec<Step> = program
            .iter()
            .filter(|step| step.session == number && !is_api(step.kind))
            .copied()
            .collect();
        tasks.push(local.spawn_local(sit(seat, steps, Rc::clone(&world), Rc::clone(&seen))));
    }
    let steps: Vec<Step> = program.iter().filter(|step| is_api(step.kind)).copied().collect();
    let api = local.spawn_local(call(steps, Rc::clone(&world), Rc::clone(&seen), log.clone()));
    let seats = local
        .run_until(async move {
            let mut seats = Vec::new();
            for task in tasks {
                seats.push(task.await.map_err(|e| e.to_string())??);
            }
            api.await.map_err(|e| e.to_string())??;
            Check::Ok(seats)
        })
        .await?;
    converge(seats, &world, &seen, log).await
}

fn is_api(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ApiDeliver | Kind::ApiMany | Kind::ApiFlags | Kind::ApiMove | Kind::ApiExpunge
    )
}

async fn sit(mut seat: Seat, steps: Vec<Step>, world: Rc<World>, seen: Rc<RefCell<Seen>>) -> Check<Seat> {
    let mut judge = Loose(Rc::clone(&seen));
    let post = seen.borrow().post.clone();
    for step in steps {
        let mut dice = Dice::new(step.seed);
        match step.kind {
            Kind::Drop if dice.chance(30) => seat.drop_halfway(&mut dice).await,
            Kind::Drop => seat.drop_connection(),
            kind => seat.act(&world, &mut judge, &post, kind, &mut dice).await?,
        }
        seat.listen(&mut judge, Duration::from_millis(3)).await?;
        tokio::task::yield_now().await;
    }
    seat.end_idle(&world, &mut judge).await?;
    Ok(seat)
}

async fn call(steps: Vec<Step>, world: Rc<World>, seen: Rc<RefCell<Seen>>, log: Log) -> Check {
    let post = seen.borrow().post.clone();
    for step in steps {
        let mut dice = Dice::new(step.seed);
        let done = match step.kind {
            Kind::ApiDeliver | Kind::ApiMany => deliver(&world, &post, &mut dice, &log).await,
            kind => change(&world, kind, &mut dice, &log).await,
        };
        match done {
            // What it was about is gone meanwhile.
            Ok(()) | Err(MailError::NoSuchMailbox) => {}
            Err(other) => return Err(format!("{:?}: {other}", step.kind)),
        }
        for _ in 0..dice.below(20) {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

async fn deliver(world: &World, post: &Post, dice: &mut Dice, log: &Log) -> Result<(), MailError> {
    let mail = post.write(dice);
    let date = Moment::some(dice);
    log.note("API", format!("delivers {}", mail.number).as_bytes());
    world.deliver(&mail.octets, date, MailboxRef::Inbox).await.map(drop)
}

async fn change(world: &World, kind: Kind, dice: &mut Dice, log: &Log) -> Result<(), MailError> {
    let (mailstore, inbox) = (&world.mailstore, world.inbox.id);
    let records = mailstore.messages(inbox, None, 400).await?;
    let infos = mailstore.mailboxes(inbox).await?;
    let Some(record) = records.get(dice.below(records.len().max(1))) else {
        return Ok(());
    };
    let Some((mailbox, uid)) = record.placements.first().copied() else {
        return Ok(());
    };
    let uids: Vec<Uid> = (uid.get()..uid.get() + 3).filter_map(Uid::new).collect();
    log.note("API", format!("{kind:?} {uids:?}").as_bytes());
    match kind {
        Kind::ApiFlags => {
            let mut flags = MessageFlags::default();
            flags.system = flags
                .system
                .with(dice.pick(&[Flag::Seen, Flag::Flagged, Flag::Deleted]));
            let mode = dice.pick(&[FlagMode::Add, FlagMode::Remove]);
            mailstore
                .store_message_flags(inbox, record.email_id, mode, &flags)
                .await
                .map(drop)
        }
        Kind::ApiMove => {
            let target = infos[dice.below(infos.len())].id;
            if target == mailbox {
                return Ok(());
            }
            mailstore.move_messages(inbox, mailbox, &uids, target).await.map(drop)
        }
        _ => mailstore.expunge(inbox, mailbox, &uids, false).await.map(drop),
    }
}

/// When all is quiet, every client that asks knows what a new one finds; and so does who comes back.
async fn converge(mut seats: Vec<Seat>, world: &World, seen: &Rc<RefCell<Seen>>, log: Log) -> Check<u64> {
    let mut judge = Loose(Rc::clone(seen));
    let mut dice = Dice::new(0);
    let post = seen.borrow().post.clone();
    let mut newcomer = Seat::new(9, Dialect::Condstore, log);
    newcomer.sit_down(world).await?;
    let mut truth: BTreeMap<u32, View> = BTreeMap::new();
    for info in world
        .mailstore
        .mailboxes(world.inbox.id)
        .await
        .map_err(|e| e.to_string())?
    {
        newcomer.select(world, &mut judge, &info.name).await?;
        newcomer.learn(world, &mut judge, &mut dice).await?;
        newcomer.fetch_all_flags(world, &mut judge).await?;
        let view = newcomer
            .client
            .view
            .clone()
            .ok_or("a mailbox that is listed cannot be selected")?;
        truth.insert(view.uid_validity, view);
    }
    for seat in &mut seats {
        seat.act(world, &mut judge, &post, Kind::Noop, &mut dice).await?;
        compare(seat, &truth)?;
        seat.drop_connection();
        seat.sit_down(world).await?;
        for name in seat.client.caches.keys().cloned().collect::<Vec<_>>() {
            seat.select(world, &mut judge, &name).await?;
            compare(seat, &truth)?;
            seat.learn(world, &mut judge, &mut dice).await?;
            compare(seat, &truth)?;
        }
    }
    world.check_consistency().await?;
    Ok(seats.iter().map(|seat| seat.given).sum())
}

fn compare(seat: &Seat, truth: &BTreeMap<u32, View>) -> Check {
    let Some(view) = &seat.client.view else { return Ok(()) };
    let Some(there) = truth.get(&view.uid_validity) else {
        return Ok(());
    };
    let (believed, real) = (view.messages.len(), there.messages.len());
    ensure!(
        believed == real,
        "session {} believes {believed} messages in {}, there are {real}",
        seat.number,
        there.name
    );
    for (believed, real) in view.messages.iter().zip(&there.messages) {
        let right = (believed.uid.is_none() || believed.uid == real.uid)
            && (believed.flags.is_none() || believed.flags == real.flags)
            && (believed.modseq.is_none()
                || real.modseq.is_none()
                || !seat.client.dialect.condstore()
                || believed.modseq == real.modseq);
        ensure!(
            right,
            "session {} believes {believed:?} in {}, but it is {real:?}",
            seat.number,
            there.name
        );
    }
    Ok(())
}
