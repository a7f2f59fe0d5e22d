//! The inboxes of a scope, for what an organization or a pod is asked as a whole.

use super::call::Scope;
use super::failure::Answer;
use crate::State;
use postroom_identity::{InboxRecord, PageOf};
use postroom_types::InboxId;
use std::sync::Arc;

/// Inboxes read at once.
const PAGE: usize = 500;

/// All inboxes, newest first.
pub(super) async fn all(state: &State, scope: &Scope) -> Answer<Vec<Arc<InboxRecord>>> {
    let mut inboxes = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = some(state, scope, after, PAGE).await?;
        inboxes.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(inboxes),
        }
    }
}

/// At most `limit` inboxes behind one (or the newest), newest first, and where they go on.
pub(super) async fn some(
    state: &State,
    scope: &Scope,
    after: Option<InboxId>,
    limit: usize,
) -> Answer<(Vec<Arc<InboxRecord>>, Option<InboxId>)> {
    if let Some(own) = &scope.inbox {
        return Ok((vec![Arc::clone(own)], None));
    }
    let page = PageOf {
        after,
        ascending: false,
        limit,
    };
    let found = state
        .identity()
        .inbox_page(scope.organization, scope.pod, &page)
        .await?;
    Ok((found.inboxes.into_iter().map(Arc::new).collect(), found.next))
}
