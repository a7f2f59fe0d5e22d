//! What goes wrong on the way to a server that takes the message.

use crate::classify::Setback;
use crate::hop::NextHop;
use postroom_queue::Contact;
use std::time::Duration;
use tokio::time::Instant;

/// For so long the next messages of the same turn are deferred without trying again: a thousand messages to servers that
/// do not answer would else hold their connections for hours.
const UNREACHABLE_FOR: Duration = Duration::from_secs(60);

/// What went wrong with host after host.
#[derive(Default)]
pub(crate) struct Setbacks {
    counting: Option<(Setback, Contact)>,
    /// Whether a host came to hear of the message; then it was perhaps about the message.
    pub(crate) reached: bool,
}

impl Setbacks {
    /// The last one counts; but as long as one host may do better next time, the message stays.
    pub(crate) fn add(&mut self, setback: Setback, contact: Contact) {
        tracing::debug!(
            host = contact.host,
            peer = contact.address,
            reason = setback.reason.text,
            "next host"
        );
        let before = self.counting.as_ref();
        if before.is_none_or(|(before, _)| before.permanent || !setback.permanent) {
            self.counting = Some((setback, contact));
        }
    }

    /// What it all comes to.
    pub(crate) fn conclude(self) -> (Setback, Contact) {
        let none = || Setback::ours(false, "4.4.1", "no host could be tried".into());
        self.counting.unwrap_or_else(|| (none(), Contact::default()))
    }

    /// What is known for the next messages of the turn.
    pub(crate) fn unreachable(&self, hop: NextHop) -> Option<Unreachable> {
        let (setback, contact) = self
            .counting
            .as_ref()
            .filter(|(setback, _)| !setback.permanent && !self.reached)?;
        Some(Unreachable {
            hop,
            setback: setback.clone(),
            contact: contact.clone(),
            until: Instant::now() + UNREACHABLE_FOR,
        })
    }
}

/// No host could be reached a moment ago.
pub(crate) struct Unreachable {
    hop: NextHop,
    setback: Setback,
    contact: Contact,
    until: Instant,
}

impl Unreachable {
    /// What is known of this next hop now, for a message that is not tried there.
    pub(crate) fn of(&self, hop: NextHop) -> Option<(Setback, Contact)> {
        let known = self.hop == hop && Instant::now() < self.until;
        known.then(|| (self.setback.clone().not_tried(), self.contact.clone()))
    }
}
