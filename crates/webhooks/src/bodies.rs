//! What is told of an event, made once for all who hear of it.
//!
//! What always holds: nobody is told of a message that is hidden from them, as it stood at most [`FRESH`] ago; so what
//! is told again later is looked at again.

use crate::dialect::Dialect;
use crate::subscription::{LabelRights, Placed};
use bytes::Bytes;
use postroom_feed::Cursor;
use postroom_store::BoxFuture;
use postroom_types::OrganizationId;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Bodies kept at most.
const MAX_BODIES: usize = 1024;
/// Octets of them kept at most, about.
const MAX_OCTETS: usize = 32 << 20;
/// How long a body is told as it was made: all who listen while something happens share it.
const FRESH: Duration = Duration::from_secs(2);

/// What is told of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The event as JSON text.
    pub body: Bytes,
    /// What hides the message it is about.
    pub hidden: Hidden,
}

/// What hides a message at the moment from those who may not see such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// It is in Spam.
    pub spam: bool,
    /// It is in Trash.
    pub trash: bool,
    /// It is in Blocked.
    pub blocked: bool,
    /// It came without proof of who sent it.
    pub unauthenticated: bool,
}

impl Hidden {
    /// Whether somebody with these rights may see it all the same.
    #[must_use]
    pub const fn is_open_to(self, rights: LabelRights) -> bool {
        (!self.spam || rights.spam)
            && (!self.trash || rights.trash)
            && (!self.blocked || rights.blocked)
            && (!self.unauthenticated || rights.unauthenticated)
    }
}

/// Makes the body of an event.
pub trait Render: Send + Sync + 'static {
    /// The event as a dialect tells it; `None` if what it tells of is gone. The same for every subscriber.
    fn render<'a>(
        &'a self,
        organization: OrganizationId,
        dialect: Dialect,
        placed: &'a Placed,
    ) -> BoxFuture<'a, Result<Option<Told>, RenderError>>;
}

/// The body cannot be made at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot tell of an event: {0}")]
pub struct RenderError(pub String);

/// An event as it is told in a dialect.
type Name = (OrganizationId, Dialect, Cursor);

#[derive(Default)]
struct Body {
    told: OnceCell<(Option<Told>, Instant)>,
    /// As many of its octets as are counted.
    counted: AtomicUsize,
}

impl Body {
    /// Whether it was made too long ago.
    fn is_stale(&self) -> bool {
        self.told.get().is_some_and(|(_, made)| made.elapsed() > FRESH)
    }

    fn octets(&self) -> usize {
        let told = self.told.get().and_then(|(told, _)| told.as_ref());
        told.map_or(0, |told| told.body.len())
    }
}

/// The bodies of the last events.
#[derive(Default)]
pub(crate) struct Bodies(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    bodies: HashMap<Name, Arc<Body>>,
    order: VecDeque<(Name, Arc<Body>)>,
    octets: usize,
}

impl Bodies {
    /// What is told of an event, made by `make` if it was not made just now. A failure is not kept.
    pub(crate) async fn get<M>(&self, name: Name, make: impl FnOnce() -> M) -> Result<Option<Told>, RenderError>
    where
        M: Future<Output = Result<Option<Told>, RenderError>>,
    {
        let body = self.cell(name);
        let mut made = false;
        let making = body.told.get_or_try_init(|| {
            made = true;
            // The time before it is looked at: what changes meanwhile is younger.
            let now = Instant::now();
            let rendering = make();
            async move { Ok((rendering.await?, now)) }
        });
        let (told, _) = making.await?.clone();
        if made {
            self.count(name, &body);
        }
        Ok(told)
    }

    fn cell(&self, name: Name) -> Arc<Body> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(body) = kept.bodies.get(&name).filter(|body| !body.is_stale()) {
            return Arc::clone(body);
        }
        while kept.order.len() >= MAX_BODIES {
            kept.drop_oldest();
        }
        let body = Arc::<Body>::default();
        // One that is stale stays in the line, and counts, until it is dropped.
        kept.bodies.insert(name, Arc::clone(&body));
        kept.order.push_back((name, Arc::clone(&body)));
        body
    }

    fn count(&self, name: Name, body: &Arc<Body>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been dropped, or made anew, while it was made.
        if kept.bodies.get(&name).is_some_and(|known| Arc::ptr_eq(known, body)) {
            body.counted.store(body.octets(), Ordering::Relaxed);
            kept.octets += body.octets();
        }
        while kept.octets > MAX_OCTETS && !kept.order.is_empty() {
            kept.drop_oldest();
        }
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some((name, body)) = self.order.pop_front() else {
            return;
        };
        self.octets -= body.counted.load(Ordering::Relaxed);
        // Made anew since, it stands further back.
        if self.bodies.get(&name).is_some_and(|known| Arc::ptr_eq(known, &body)) {
            self.bodies.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_hides_from_who_lacks_its_right() {
        let plain = Hidden::default();
        let nothing = LabelRights::default();
        assert!(plain.is_open_to(nothing));
        let spam = Hidden { spam: true, ..plain };
        let trash = Hidden { trash: true, ..plain };
        let blocked = Hidden { blocked: true, ..plain };
        let unauthenticated = Hidden {
            unauthenticated: true,
            ..plain
        };
        let rights = [
            LabelRights { spam: true, ..nothing },
            LabelRights { trash: true, ..nothing },
            LabelRights {
                blocked: true,
                ..nothing
            },
            LabelRights {
                unauthenticated: true,
                ..nothing
            },
        ];
        for (at, hidden) in [spam, trash, blocked, unauthenticated].into_iter().enumerate() {
            assert!(
                hidden.is_open_to(LabelRights::ALL) && !hidden.is_open_to(nothing),
                "{hidden:?}"
            );
            for (of, rights) in rights.into_iter().enumerate() {
                assert_eq!(hidden.is_open_to(rights), at == of, "{hidden:?} {rights:?}");
            }
        }
        assert!(
            !Hidden { trash: true, ..spam }.is_open_to(rights[0]),
            "one is not enough"
        );
    }
}
