//! Which rules a list is asked for, and where it goes on.
//!
//! What always holds: what a page costs does not depend on where it begins, for who follows the links.

use super::RuleView;
use crate::State;
use crate::inkbox::call::Caller;
use crate::inkbox::failure::{Answer, Failure};
use crate::inkbox::paging::{Paging, bad_cursor};
use crate::inkbox::wire::Asked;
use axum::Json;
use axum::http::HeaderName;
use axum::http::header::LINK;
use postroom_identity::{
    MAX_RULES_READ, MatchType, RuleAction, RuleDirection, RuleFilter, RulePage, RulePlace, RulesFrom,
};
use postroom_types::InboxId;

/// Most rules of one answer, and what it has if not asked otherwise: the vendor's client reads one answer alone.
const MAX_LIMIT: u64 = 1000;
/// Where an answer may begin that does not go on where another one ended; all before it is read, and with all of the
/// answer that is no more than one call reads.
const MAX_OFFSET: u64 = MAX_RULES_READ as u64 - MAX_LIMIT;

fn word<T>(asked: &Asked, name: &str, named: impl Fn(&str) -> Option<T>) -> Answer<Option<T>> {
    let Some(text) = asked.text(name)? else {
        return Ok(None);
    };
    let unknown = || Failure::field(name, format!("{name} has no value {text:?}"));
    named(text).map(Some).ok_or_else(unknown)
}

/// Which rules are asked for.
pub(super) struct Query {
    pub(super) filter: RuleFilter,
    from: RulesFrom,
    paging: Paging,
    /// What tells the list from others, as the query says it.
    said: Vec<(&'static str, String)>,
}

/// An answer, which the vendor's client wants to be an array: where it goes on, a field of the header says (RFC 8288).
pub(super) type List = (Option<[(HeaderName, String); 1]>, Json<Vec<RuleView>>);

impl Query {
    /// `whose` are those of the list's parameters that name inboxes, and `path` what the path names.
    pub(super) fn read(asked: &Asked, path: &[&str], whose: Vec<(&'static str, String)>) -> Answer<Self> {
        let filter = RuleFilter {
            action: word(asked, "action", RuleAction::named)?,
            match_type: word(asked, "match_type", MatchType::named)?,
            direction: word(asked, "direction", RuleDirection::named)?,
            of_identities: false,
        };
        let mut said = whose;
        said.extend(filter.action.map(|action| ("action", action.as_str().to_owned())));
        said.extend(filter.match_type.map(|kind| ("match_type", kind.as_str().to_owned())));
        said.extend(
            filter
                .direction
                .map(|direction| ("direction", direction.as_str().to_owned())),
        );
        let limit = asked.number("limit", 1..=MAX_LIMIT)?.unwrap_or(MAX_LIMIT);
        let named = said.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        let list: Vec<&str> = path.iter().copied().chain(named).collect();
        let paging = Paging::within(asked, &list, usize::try_from(limit).unwrap_or(usize::MAX))?;
        let offset = asked.number("offset", 0..=MAX_OFFSET)?;
        let from = match (&paging.position, offset) {
            (Some(_), Some(_)) => return Err(Failure::field("cursor", "cursor does not go with offset")),
            (Some(position), None) => RulesFrom::Behind(RulePlace::from_octets(position).ok_or_else(bad_cursor)?),
            (None, offset) => RulesFrom::Offset(usize::try_from(offset.unwrap_or(0)).unwrap_or(usize::MAX)),
        };
        Ok(Self {
            filter,
            from,
            paging,
            said,
        })
    }

    pub(super) async fn page(&self, state: &State, caller: &Caller, inbox: Option<InboxId>) -> Answer<RulePage> {
        let organization = caller.organization();
        let page = state
            .identity()
            .contact_rules(organization, inbox, &self.filter, self.from, self.paging.limit);
        Ok(page.await?)
    }

    pub(super) fn list(&self, views: Vec<RuleView>, next: Option<RulePlace>) -> List {
        let link = next.map(|next| {
            let said = self.said.iter().map(|(name, value)| format!("{name}={value}&"));
            let (said, limit) = (said.collect::<String>(), self.paging.limit);
            let cursor = self.paging.cursor(&next.octets());
            [(LINK, format!("<?{said}limit={limit}&cursor={cursor}>; rel=\"next\""))]
        });
        (link, Json(views))
    }
}
