//! The selected mailbox: opening it, and what others do to it.
//!
//! What always holds: everything up to the modseq `cursor` has been told, or was this session's own doing.

use crate::answer::Session;
use crate::change::OwnChange;
use crate::fault::of_mail;
use postroom_imap_proto::{Fault, FlagsNow, News, Selected};
use postroom_mailstore::{FlagsAt, MailError, SharedMailbox};
use postroom_types::{MailboxId, ModSeq, Uid};
use std::sync::Arc;

/// A mailbox that is open in a session.
pub(crate) struct SelectedMailbox {
    /// What all sessions that have it open share.
    pub(crate) shared: Arc<SharedMailbox>,
    read_only: bool,
    /// All changes up to here were told.
    pub(crate) cursor: ModSeq,
    /// The highest UID told.
    last: Option<Uid>,
    /// The mailbox's highest modseq, as it was told last.
    highest_modseq: ModSeq,
    /// Changes of this session above the cursor, which are no news to it.
    pub(crate) own: Vec<OwnChange>,
}

impl SelectedMailbox {
    /// What is new since it was last asked, as of the last refresh, and counts it as told.
    fn take_news(&mut self) -> News {
        let changes = self.shared.news(self.cursor, self.last);
        let is_new = |uid: Uid| self.last.is_none_or(|last| uid > last);
        let told = |(uid, _, modseq): &FlagsAt| !is_new(*uid) && !self.is_own(*uid, *modseq);
        let flags = changes.flags.into_iter().filter(told).map(flags_now).collect();
        let highest_modseq = (changes.highest_modseq != self.highest_modseq).then_some(changes.highest_modseq);
        self.last = changes.appended.last().copied().or(self.last);
        self.cursor = changes.now;
        self.highest_modseq = changes.highest_modseq;
        self.own.retain(|own| own.modseq > changes.now);
        News {
            appended: changes.appended,
            flags,
            expunged: changes.expunged,
            present: changes.present,
            highest_modseq,
            ..News::default()
        }
    }
}

pub(crate) fn flags_now((uid, flags, modseq): FlagsAt) -> FlagsNow {
    FlagsNow { uid, flags, modseq }
}

impl Session {
    pub(crate) async fn select(&mut self, name: &str, read_only: bool) -> Result<Selected, Fault> {
        self.selected = None;
        let read_only = read_only || !self.may_change();
        let (inbox, mailbox) = self.find(name).await?;
        // Wake-ups are watched since login, so none between this and the next look is missed.
        let shared = self.service.mailstore.open_shared(inbox, mailbox).await;
        let shared = shared.map_err(|e| of_mail(&e))?;
        let open = shared.snapshot();
        let recent_from = match read_only {
            true => self.service.recent.from(mailbox),
            false => self.service.recent.told(mailbox, open.uid_next),
        };
        let uid_validity = shared.uid_validity();
        self.selected = Some(SelectedMailbox {
            shared,
            read_only,
            cursor: open.modseq,
            last: open.uids.last().copied(),
            highest_modseq: open.highest_modseq,
            own: Vec::new(),
        });
        Ok(Selected {
            id: mailbox,
            read_only,
            uid_validity,
            uid_next: open.uid_next,
            highest_modseq: open.highest_modseq,
            uids: open.uids,
            recent_from: Some(recent_from),
            first_unseen: open.first_unseen,
            keywords: open.keywords,
        })
    }

    /// The selected mailbox.
    pub(crate) fn shared(&self) -> Result<&Arc<SharedMailbox>, Fault> {
        self.selected
            .as_ref()
            .map(|selected| &selected.shared)
            .ok_or(Fault::Internal)
    }

    /// The id of the selected mailbox.
    pub(crate) fn selected_id(&self) -> Option<MailboxId> {
        self.selected.as_ref().map(|selected| selected.shared.id())
    }

    /// The selected mailbox, as it is now.
    pub(crate) async fn fresh(&self) -> Result<Arc<SharedMailbox>, Fault> {
        let shared = self.shared()?;
        let refreshed = self.service.mailstore.refresh(shared).await;
        refreshed.map_err(|e| of_mail(&e))?;
        Ok(Arc::clone(shared))
    }

    /// Brings the selected mailbox up to date. `Some`: it is gone, and the session has to end.
    pub(crate) async fn refresh(&self) -> Result<Option<News>, MailError> {
        let Some(selected) = &self.selected else {
            return Ok(None);
        };
        match self.service.mailstore.refresh(&selected.shared).await {
            Err(MailError::NoSuchMailbox) => Ok(Some(goodbye("The mailbox was deleted"))),
            Err(MailError::NoSuchInbox(_)) => Ok(Some(goodbye("The inbox was deleted"))),
            refreshed => refreshed.map(|()| None),
        }
    }

    /// What happened in the selected mailbox since it was last asked, as of the last refresh.
    pub(crate) fn take_news(&mut self) -> News {
        let Some(selected) = &mut self.selected else {
            return News::default();
        };
        let mut news = selected.take_news();
        if let Some(last) = news.appended.last() {
            let mailbox = selected.shared.id();
            let below = Uid::new(last.get().saturating_add(1)).unwrap_or(*last);
            let recent_from = match selected.read_only {
                true => self.service.recent.from(mailbox),
                false => self.service.recent.told(mailbox, below),
            };
            let appended = news.appended.iter().copied();
            news.not_recent = appended.take_while(|uid| *uid < recent_from).collect();
        }
        news
    }

    pub(crate) async fn vanished(&self, since: ModSeq, among: &[(Uid, Uid)]) -> Result<Vec<(Uid, Uid)>, Fault> {
        let vanished = self.service.mailstore.vanished(self.shared()?, since, among).await;
        vanished.map_err(|e| of_mail(&e))
    }
}

/// The session has to end.
pub(crate) fn goodbye(text: &'static str) -> News {
    News {
        bye: Some(text),
        ..News::default()
    }
}
