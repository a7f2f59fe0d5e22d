//! What is told of an event, made once for all who hear of it.

use crate::subscription::Placed;
use bytes::Bytes;
use postroom_feed::Cursor;
use postroom_store::BoxFuture;
use postroom_types::OrganizationId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Bodies kept at most.
const MAX_BODIES: usize = 1024;
/// Octets of them kept at most, about.
const MAX_OCTETS: usize = 32 << 20;

/// Makes the body of an event.
pub trait Render: Send + Sync + 'static {
    /// The event as JSON text; `None` if what it tells of is gone. The same for every subscriber.
    fn render<'a>(
        &'a self,
        organization: OrganizationId,
        placed: &'a Placed,
    ) -> BoxFuture<'a, Result<Option<Bytes>, RenderError>>;
}

/// The body cannot be made at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot tell of an event: {0}")]
pub struct RenderError(pub String);

type Body = Arc<OnceCell<Option<Bytes>>>;

/// The bodies of the last events.
#[derive(Default)]
pub(crate) struct Bodies(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    bodies: HashMap<(OrganizationId, Cursor), Body>,
    order: VecDeque<(OrganizationId, Cursor)>,
    octets: usize,
}

impl Bodies {
    pub(crate) async fn get(
        &self,
        render: &dyn Render,
        organization: OrganizationId,
        placed: &Placed,
    ) -> Result<Option<Bytes>, RenderError> {
        let body = self.cell(organization, placed.event.cursor);
        let mut made = false;
        let rendered = body
            .get_or_try_init(|| {
                made = true;
                render.render(organization, placed)
            })
            .await?
            .clone();
        if made {
            self.count(
                (organization, placed.event.cursor),
                rendered.as_ref().map_or(0, Bytes::len),
            );
        }
        Ok(rendered)
    }

    fn cell(&self, organization: OrganizationId, cursor: Cursor) -> Body {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(body) = kept.bodies.get(&(organization, cursor)) {
            return Arc::clone(body);
        }
        while kept.order.len() >= MAX_BODIES {
            kept.drop_oldest();
        }
        let body = Body::default();
        kept.bodies.insert((organization, cursor), Arc::clone(&body));
        kept.order.push_back((organization, cursor));
        body
    }

    fn count(&self, key: (OrganizationId, Cursor), octets: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been dropped while it was made.
        if kept.bodies.contains_key(&key) {
            kept.octets += octets;
        }
        while kept.octets > MAX_OCTETS && !kept.order.is_empty() {
            kept.drop_oldest();
        }
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        let body = self.bodies.remove(&oldest);
        let octets = body
            .as_ref()
            .and_then(|body| body.get()?.as_ref())
            .map_or(0, Bytes::len);
        self.octets = self.octets.saturating_sub(octets);
    }
}
