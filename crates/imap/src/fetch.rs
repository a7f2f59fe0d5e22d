//! FETCH: what is known of the open mailbox first, rows only if they are asked for, bodies last and all at once.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::section::is_whole;
use crate::share::Share;
use crate::unreadable::Unreadable;
use postroom_imap_proto::{ChangeMode, Fault, FetchItems, Fetched, FetchedPiece, FlagChange};
use postroom_mailstore::{Content, Located, MessageState, Meta, SharedMailbox, StoredMeta, StoredSummary};
use postroom_types::{EmailId, Flag, Flags, MessageFlags, ModSeq, ThreadId, Uid};

/// A message that is asked for, as it is now.
struct Wanted {
    uid: Uid,
    state: MessageState,
    /// This very question has set `\Seen`.
    seen_now: bool,
}

/// What rows say of a message.
pub(crate) struct Source {
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
    /// If asked for.
    pub(crate) summary: Option<StoredSummary>,
    /// If asked for.
    pub(crate) content: Option<Content>,
    /// The message was expunged, so its body may be gone too.
    pub(crate) is_ghost: bool,
}

/// Which rows an answer takes.
#[derive(Clone, Copy)]
struct Needs {
    summary: bool,
    thread: bool,
    content: bool,
}

impl Needs {
    fn of(items: &FetchItems) -> Self {
        Self {
            summary: items.summary || items.preview || !items.sections.iter().all(is_whole),
            thread: items.ids,
            content: !items.sections.is_empty(),
        }
    }
}

impl Session {
    pub(crate) async fn fetch(
        &mut self,
        uids: &[Uid],
        items: &FetchItems,
        changed_since: Option<ModSeq>,
    ) -> Result<FetchedPiece, Fault> {
        let shared = self.fresh().await?;
        let mut gone = 0;
        let mut wanted = Vec::with_capacity(uids.len());
        let mut left = Vec::new();
        let mut share = Share::of(items);
        for (index, state) in shared.states(uids).into_iter().enumerate() {
            match state {
                None => gone += 1,
                Some(state) if changed_since.is_some_and(|since| state.modseq <= since) => {}
                Some(state) if !share.take(state.size_octets) => {
                    left = uids[index..].to_vec();
                    break;
                }
                Some(state) => wanted.push(Wanted {
                    uid: uids[index],
                    state,
                    seen_now: false,
                }),
            }
        }
        if items.set_seen {
            self.set_seen(&mut wanted).await?;
        }
        if items.is_light() {
            let messages = wanted.into_iter().map(|message| message.told(items)).collect();
            return Ok(FetchedPiece {
                messages,
                gone,
                left,
                unreadable: false,
            });
        }
        let sources = self.sources(&shared, &wanted, Needs::of(items)).await?;
        let mut messages = Vec::with_capacity(wanted.len());
        let mut kept = Vec::with_capacity(wanted.len());
        for (message, source) in wanted.into_iter().zip(sources) {
            let Some(source) = source else {
                // Expunged since the mailbox was looked at.
                gone += 1;
                continue;
            };
            messages.push(message.told(items));
            kept.push(source);
        }
        let mut unreadable = Unreadable::default();
        self.read_sections(&mut messages, &kept, &items.sections, &mut unreadable)
            .await?;
        for (message, source) in messages.iter_mut().zip(kept) {
            add_source(message, source, items, &mut unreadable);
        }
        gone += unreadable.remove_bodiless(&mut messages);
        Ok(FetchedPiece {
            messages,
            gone,
            left,
            unreadable: unreadable.any(),
        })
    }

    /// Sets `\Seen` where it is not set, and notes where that was.
    async fn set_seen(&mut self, wanted: &mut [Wanted]) -> Result<(), Fault> {
        let is_unseen = |message: &&Wanted| !message.state.flags.system.contains(Flag::Seen);
        let unseen: Vec<Uid> = wanted.iter().filter(is_unseen).map(|message| message.uid).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        let change = FlagChange {
            mode: ChangeMode::Add,
            flags: MessageFlags::system(Flags::NONE.with(Flag::Seen)),
        };
        let mut now = self
            .change_flags(&unseen, &change, None)
            .await?
            .now
            .into_iter()
            .peekable();
        for message in wanted {
            if let Some((_, flags, modseq)) = now.next_if(|(uid, ..)| *uid == message.uid) {
                (message.state.flags, message.state.modseq) = (flags, modseq);
                message.seen_now = true;
            }
        }
        Ok(())
    }

    /// The rows of messages, in their order. `None` for what is gone, and not remembered either.
    async fn sources(
        &self,
        shared: &SharedMailbox,
        wanted: &[Wanted],
        needs: Needs,
    ) -> Result<Vec<Option<Source>>, Fault> {
        let inbox = self.inbox()?;
        let mailstore = &self.service.mailstore;
        let uids: Vec<Uid> = wanted.iter().map(|message| message.uid).collect();
        let mut sources = if needs.summary {
            let metas = mailstore.stored_metadata(inbox, shared.id(), &uids).await;
            let metas = metas.map_err(|e| of_mail(&e))?;
            metas.into_iter().map(of_stored).collect()
        } else if needs.thread {
            let metas = mailstore.metadata(inbox, shared.id(), &uids, false).await;
            let metas = metas.map_err(|e| of_mail(&e))?;
            metas.into_iter().map(of_meta).collect()
        } else if !needs.content {
            let ids = mailstore.email_ids(inbox, shared.id(), &uids).await;
            let ids = ids.map_err(|e| of_mail(&e))?;
            ids.into_iter().map(|(uid, id)| (uid, of_id(id))).collect()
        } else {
            Vec::new()
        };
        if needs.content {
            let located = mailstore.contents(inbox, shared.id(), &uids).await;
            let located = located.map_err(|e| of_mail(&e))?;
            sources = match needs.summary || needs.thread {
                true => join(sources, located),
                false => located.into_iter().map(of_located).collect(),
            };
        }
        let mut sources = sources.into_iter().peekable();
        let of = |uid: &Uid| match sources.next_if(|(of, _)| of == uid) {
            Some((_, source)) => Some(source),
            None => ghost(shared, *uid),
        };
        Ok(uids.iter().map(of).collect())
    }
}

fn of_stored(meta: StoredMeta) -> (Uid, Source) {
    let source = Source {
        email_id: meta.email_id,
        thread_id: meta.thread_id,
        summary: Some(meta.summary),
        content: None,
        is_ghost: false,
    };
    (meta.uid, source)
}

fn of_meta(meta: Meta) -> (Uid, Source) {
    let source = Source {
        email_id: meta.email_id,
        thread_id: meta.thread_id,
        summary: None,
        content: None,
        is_ghost: false,
    };
    (meta.uid, source)
}

/// For items that say nothing of the thread.
fn of_id(email_id: EmailId) -> Source {
    Source {
        email_id,
        thread_id: ThreadId::from_bytes([0; 16]),
        summary: None,
        content: None,
        is_ghost: false,
    }
}

/// What is in both, which are ascending; the rest was expunged between the readings.
fn join(sources: Vec<(Uid, Source)>, located: Vec<Located>) -> Vec<(Uid, Source)> {
    let mut located = located.into_iter().peekable();
    let with_content = |(uid, source): (Uid, Source)| {
        while located.next_if(|located| located.uid < uid).is_some() {}
        let content = Some(located.next_if(|located| located.uid == uid)?.content);
        Some((uid, Source { content, ..source }))
    };
    sources.into_iter().filter_map(with_content).collect()
}

fn of_located(located: Located) -> (Uid, Source) {
    let source = Source {
        content: Some(located.content),
        ..of_id(located.email_id)
    };
    (located.uid, source)
}

/// What is remembered of a message that was expunged, and which this session was not told of.
fn ghost(shared: &SharedMailbox, uid: Uid) -> Option<Source> {
    let ghost = shared.ghost(uid)?;
    Some(Source {
        email_id: ghost.meta.email_id,
        thread_id: ghost.meta.thread_id,
        summary: ghost.meta.summary.as_ref().map(StoredSummary::of),
        content: Some(ghost.content.clone()),
        is_ghost: true,
    })
}

impl Wanted {
    /// What is told of it without looking at its rows.
    fn told(self, items: &FetchItems) -> Fetched {
        let Self { uid, state, seen_now } = self;
        Fetched {
            uid,
            modseq: state.modseq,
            flags: (items.flags || seen_now).then_some(state.flags),
            flags_changed: seen_now,
            internal_date: state.internal_date,
            size_octets: state.size_octets,
            // Not asked for, or said by rows.
            email_id: EmailId::from_bytes([0; 16]),
            thread_id: ThreadId::from_bytes([0; 16]),
            summary: None,
            sections: Vec::new(),
            save_date: state.saved_at.filter(|_| items.save_date),
            preview: None,
        }
    }
}

fn add_source(message: &mut Fetched, source: Source, items: &FetchItems, unreadable: &mut Unreadable) {
    message.email_id = source.email_id;
    message.thread_id = source.thread_id;
    let Some(summary) = source.summary else { return };
    if items.preview {
        match summary.read() {
            Ok(summary) => message.preview = Some(summary.preview),
            Err(error) => unreadable.note(source.email_id, error),
        }
    }
    if items.summary {
        message.summary = Some(unreadable.told(source.email_id, summary));
    }
}
