//! One client at its connection: it gives commands, hears what is said, and has it judged.

mod asking;
mod idle;

use crate::client::{Check, Client, Dialect, Heard, ensure};
use crate::command::{Command, Kind, What};
use crate::dice::Dice;
use crate::effects::conclude;
use crate::judge::{Before, Judge, Log};
use crate::mail::Post;
use crate::parse::{Response, responses};
use crate::plan::Planner;
use crate::world::World;
use postroom_imap::Session;
use postroom_testkit::Driven;
use std::collections::VecDeque;

pub(crate) struct Seat {
    pub(crate) number: usize,
    pub(crate) client: Client,
    connection: Option<Driven<Session>>,
    commands: VecDeque<Command>,
    before: Before,
    pub(crate) idle: bool,
    log: Log,
    /// Commands given.
    pub(crate) given: u64,
}

impl Seat {
    pub(crate) fn new(number: usize, dialect: Dialect, log: Log) -> Self {
        Self {
            number,
            client: Client::new(dialect),
            connection: None,
            commands: VecDeque::new(),
            before: Before::default(),
            idle: false,
            log,
            given: 0,
        }
    }

    /// A connection, logged in, with the dialect enabled.
    pub(crate) async fn sit_down(&mut self, world: &World) -> Check {
        if self.connection.is_some() {
            return Ok(());
        }
        self.log.note(&format!("S{}", self.number), b"(connects)");
        self.connection = Some(world.connection().await);
        self.ask("LOGIN", &world.login()).await?;
        let heard = self.ask("CAPABILITY", "CAPABILITY").await?;
        let words = heard.data("CAPABILITY").next().ok_or("no CAPABILITY")?;
        self.client.capabilities = words.iter().map(crate::parse::Value::word).collect();
        if let Some(wanted) = self.client.dialect.enable() {
            let there = wanted
                .split(' ')
                .all(|word| self.client.can(&word.to_ascii_uppercase()));
            if !there {
                self.client.dialect = Dialect::Rev1;
                return Ok(());
            }
            let heard = self.ask("ENABLE", &format!("ENABLE {wanted}")).await?;
            let enabled = heard.data("ENABLED").next().ok_or("no ENABLED")?;
            let all = wanted
                .split(' ')
                .all(|word| enabled.iter().any(|told| told.word() == word.to_ascii_uppercase()));
            ensure!(all, "ENABLED {enabled:?}, should be {wanted}");
        }
        Ok(())
    }

    /// A command that is no part of the test.
    async fn ask(&mut self, verb: &'static str, text: &str) -> Check<Heard> {
        let tag = self.client.tag();
        self.client.running.push_back(crate::client::Running {
            tag: tag.clone(),
            verb,
            by_uid: false,
            asked: Vec::new(),
        });
        let line = format!("{tag} {text}\r\n");
        let connection = self.connection.as_mut().ok_or("no connection")?;
        let said = connection.send(line.as_bytes()).await;
        let mut ended = None;
        for response in responses(&said)? {
            ended = self.client.take(response)?.or(ended);
        }
        let (_, heard) = ended.ok_or_else(|| format!("{verb} was not answered"))?;
        ensure!(heard.is_ok(), "{verb}: {:?}", String::from_utf8_lossy(&said));
        Ok(heard)
    }

    /// The connection breaks.
    pub(crate) fn drop_connection(&mut self) {
        if self.connection.take().is_some() {
            self.log.note(&format!("S{}", self.number), b"(connection breaks)");
        }
        self.client.disconnect();
        self.commands.clear();
        self.before = Before::default();
        self.idle = false;
    }

    /// The connection breaks in the middle of a command.
    pub(crate) async fn drop_halfway(&mut self, dice: &mut Dice) {
        if let (Some(connection), false) = (&mut self.connection, self.idle) {
            let half: &[u8] = dice.pick(&[
                b"x APPEND INBOX {100}\r\nSubject: half".as_slice(),
                b"x APPEND INBOX {100+}\r\nSubject: half",
                b"x UID STORE 1:* +FLA",
                b"x STATUS {5}\r\nIN",
            ]);
            let _ = connection.send(half).await;
        }
        self.drop_connection();
    }

    /// A command of this kind or, if none can be given now, a SELECT.
    pub(crate) async fn act(
        &mut self,
        world: &World,
        judge: &mut impl Judge,
        post: &Post,
        kind: Kind,
        dice: &mut Dice,
    ) -> Check {
        self.sit_down(world).await?;
        self.end_idle(world, judge).await?;
        // Its mailbox may have been deleted, now or while it looks at what is new there.
        self.sit_down(world).await?;
        self.learn(world, judge, dice).await?;
        self.sit_down(world).await?;
        let piped = kind == Kind::Pipeline;
        let kinds = match kind {
            Kind::Pipeline => {
                const PIPED: [Kind; 8] = [
                    Kind::Noop,
                    Kind::Fetch,
                    Kind::Store,
                    Kind::Store,
                    Kind::Copy,
                    Kind::Move,
                    Kind::Append,
                    Kind::Expunge,
                ];
                (0..2 + dice.below(4)).map(|_| dice.pick(&PIPED)).collect()
            }
            kind => vec![kind],
        };
        let mut commands = Vec::new();
        for kind in kinds {
            let client = &self.client;
            let mut planner = Planner {
                dice: &mut *dice,
                client,
                post,
                piped,
            };
            let command = match planner.plan(kind) {
                Some(command) => command,
                None if piped => continue,
                None => planner.plan(Kind::Select).ok_or("SELECT can always be given")?,
            };
            commands.push(command);
        }
        let waits = commands.iter().any(|command| command.parts.len() > 1);
        if waits && commands.len() > 1 {
            commands.truncate(1);
        }
        self.exchange(world, judge, commands).await?;
        self.learn(world, judge, dice).await
    }

    /// Gives commands, all at once, and hears all answers; IDLE goes on.
    pub(crate) async fn exchange(&mut self, world: &World, judge: &mut impl Judge, commands: Vec<Command>) -> Check {
        let mut pieces: VecDeque<Vec<u8>> = VecDeque::new();
        let idles = commands.iter().any(|command| command.verb == "IDLE");
        self.remember();
        for command in commands {
            let tag = self.client.tag();
            let mut parts = command.parts.clone().into_iter();
            let first = parts.next().unwrap_or_default();
            let first = [tag.as_bytes(), b" ", &first].concat();
            match pieces.back_mut() {
                Some(last) => last.extend_from_slice(&first),
                None => pieces.push_back(first),
            }
            pieces.extend(parts);
            self.client.running.push_back(crate::client::Running {
                tag,
                verb: command.verb,
                by_uid: command.by_uid,
                asked: command.asked(),
            });
            self.commands.push_back(command);
            self.given += 1;
        }
        while let Some(piece) = pieces.pop_front() {
            self.client.go_on = false;
            self.say(world, judge, &piece).await?;
            if self.client.running.is_empty() {
                break;
            }
            ensure!(
                pieces.is_empty() || self.client.go_on,
                "no continuation is asked for, and no answer given"
            );
        }
        let open = self
            .connection
            .as_ref()
            .is_some_and(|connection| !connection.is_closed());
        if open && self.client.go_on && idles && !self.client.running.is_empty() {
            self.idle = true;
            return Ok(());
        }
        self.check_answered(judge)
    }

    fn check_answered(&mut self, judge: &impl Judge) -> Check {
        let closed = self.connection.as_ref().is_none_or(Driven::is_closed);
        if closed {
            let may = self.before.id.is_some_and(|id| judge.may_close(id));
            ensure!(may, "the connection was closed");
            self.drop_connection();
            return Ok(());
        }
        let unanswered: Vec<_> = self.client.running.iter().map(|running| running.tag.clone()).collect();
        ensure!(unanswered.is_empty(), "{unanswered:?} were not answered");
        Ok(())
    }

    async fn say(&mut self, world: &World, judge: &mut impl Judge, octets: &[u8]) -> Check {
        self.log.note(&format!("C{}", self.number), octets);
        let before = world.modseq().await;
        let connection = self.connection.as_mut().ok_or("no connection")?;
        let said = connection.send(octets).await;
        let after = world.modseq().await;
        self.hear_said(&said, judge, before, after)
    }

    fn hear_said(&mut self, said: &[u8], judge: &mut impl Judge, before: u64, after: u64) -> Check {
        self.log.note(&format!("S{}", self.number), said);
        judge.between(before, after);
        for response in responses(said)? {
            self.hear_response(response, judge)?;
        }
        Ok(())
    }

    fn hear_response(&mut self, response: Response, judge: &mut impl Judge) -> Check {
        let under_way = self
            .client
            .running
            .front()
            .map_or_else(String::new, |running| running.tag.clone());
        let number = self.number;
        let taken = self
            .client
            .take(response)
            .map_err(|wrong| format!("session {number}, {under_way}: {wrong}"));
        let Some((running, heard)) = taken? else {
            return Ok(());
        };
        let command = self.commands.pop_front().ok_or("an answer without a command")?;
        let text = String::from_utf8_lossy(&command.parts[0]).into_owned();
        let ended = match self.before.id.is_some_and(|id| judge.is_gone(id)) && needs_selected(&command.what) {
            true => {
                // What it answers is left open, but after an OK no mailbox is selected.
                if matches!(command.what, What::Close | What::Unselect) && heard.is_ok() {
                    self.client.leave();
                }
                Ok(())
            }
            false => conclude(&mut self.client, &command, &heard)
                .and_then(|()| judge.judge(&mut self.client, &command, &heard, &self.before)),
        };
        ended.map_err(|wrong| format!("session {}, {} {}: {wrong}", self.number, running.tag, text.trim_end()))?;
        self.remember();
        Ok(())
    }

    fn remember(&mut self) {
        self.before = self.client.view.as_ref().map_or_else(Before::default, |view| Before {
            uids: view.uids(),
            id: Some(view.id),
            read_only: view.read_only,
        });
    }
}

/// Whether the command is about the selected mailbox.
fn needs_selected(what: &What) -> bool {
    match what {
        What::Noop | What::Idle | What::Close | What::Unselect => true,
        What::Append { replaces, .. } => replaces.is_some(),
        What::Fetch { .. } | What::Store { .. } | What::Copy { .. } | What::Move { .. } | What::Expunge { .. } => true,
        What::Search { .. } | What::Sort { .. } | What::Thread(_) => true,
        _ => false,
    }
}
