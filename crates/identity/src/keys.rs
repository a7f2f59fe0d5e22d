//! Every key layout of this crate. All begin with `i`; ids are 16 bytes, numbers big-endian.
//!
//! | layout | value |
//! |---|---|
//! | `iO` | the operator: organization and postmaster inbox |
//! | `iK` | salt and iteration count of all SCRAM keys |
//! | `io` organization | [`Organization`](crate::Organization) |
//! | `ic` organization | counters: [`LANE_INBOXES`], [`LANE_ROOM`], [`LANE_DEBT`] |
//! | `ip` organization pod | [`Pod`](crate::Pod) |
//! | `il` organization slug | the pod's id |
//! | `iu` pod | counters: [`LANE_INBOXES`] |
//! | `ii` inbox | the inbox |
//! | `is` inbox | the password's hash and SCRAM keys |
//! | `im` inbox | metadata: JSON, or how many parts its JSON has |
//! | `im` inbox part | a part of long metadata |
//! | `in` organization inbox | the inbox's pod; live inboxes only |
//! | `ia` address | who has it: an inbox, or a tombstone (`iascout@example.test`) |
//! | `ir` organization pod-or-zero SHA-256(asked-for address) | the inbox that this request got |
//! | `ih` SHA-256(key) | the API key's record |
//! | `iw` scope-letter scope-id key-id | SHA-256 of the key, to list and revoke |
//! | `ij` organization key-id | SHA-256 of the `am_` key of a pod or an inbox, and the pod |
//! | `iE` | nothing; says that all keys of inboxes have the row below |
//! | `iE` organization key-id | SHA-256 of the `ak_` key of an inbox |
//! | `ix` organization kind SHA-256(client id) | the inbox (kind `i`) or pod (kind `p`) that a client calls so |
//! | `ie` SHA-256(address) | the organization of the agent that this human answers for |
//! | `iv` organization | the code sent to the human of an agent, hashed |
//! | `ib` organization scope-id direction type entry | an entry of a list; a scope of zeros is the organization |
//! | `iy` organization scope-id | counters: how many entries each list of the scope has |
//! | `it` organization domain | the claim of an organization to a domain |
//! | `id` domain | the domain: whose, its catch-all (`idexample.test`) |
//! | `ik` domain 0 selector | a DKIM key; `r…` is RSA, `e…` Ed25519 (`ikexample.test\0r20261121a`) |
//! | `ig` handle | who has it: an identity, or a tombstone (`igsales-bot`) |
//! | `iI` identity | the identity |
//! | `iN` organization identity | the identity's inbox; live identities only |
//! | `iA` identity set identity | a grant: the second may find the first; sets that the first's row does not name do not count |
//! | `iR` organization inbox rule | SHA-256 of what the contact rule is about |
//! | `iT` inbox SHA-256(address or domain) | the contact rules about it |
//! | `iS` inbox | signature: JSON, or how many parts its JSON has |
//! | `iS` inbox part | a part of a long signature |
//! | `iY` inbox | the key that its webhooks are signed with |
//! | `iz` deleted-at-ms inbox | the organization; inboxes whose mail waits to be purged |

use crate::Handle;
use crate::lists::{EntryScope, List};
use postroom_store::{Key, Topic};
use postroom_types::{Domain, EmailAddress, GrantId, IdentityId, InboxId, KeyId, OrganizationId, PodId, RuleId};
use sha2::{Digest, Sha256};

/// Live inboxes of an organization or pod.
pub(crate) const LANE_INBOXES: usize = 0;
/// How many more an organization may make.
pub(crate) const LANE_ROOM: usize = 1;
/// How many an organization has above its limit, after the limit was lowered.
pub(crate) const LANE_DEBT: usize = 2;

pub(crate) const OPERATOR: &[u8] = b"iO";
pub(crate) const SCRAM: &[u8] = b"iK";
pub(crate) const ORGANIZATIONS: &[u8] = b"io";
pub(crate) const PURGES: &[u8] = b"iz";
pub(crate) const ADDRESSES: &[u8] = b"ia";
pub(crate) const API_KEYS: &[u8] = b"ih";
pub(crate) const INBOX_KEYS: &[u8] = b"iE";
pub(crate) const DOMAINS: &[u8] = b"id";
pub(crate) const CLAIMS: &[u8] = b"it";

fn key(kind: &[u8; 2], parts: &[&[u8]]) -> Key {
    let mut key = kind.to_vec();
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// What is woken when keys of an organization were changed or revoked. The topic that is the organization's id is that of its
/// events; ids that are of their time have no such bits.
pub(crate) fn changed_keys(organization: OrganizationId) -> Topic {
    organization.as_bytes().map(|octet| !octet)
}

pub(crate) fn organization(id: OrganizationId) -> Key {
    key(b"io", &[id.as_bytes()])
}

pub(crate) fn organization_counters(id: OrganizationId) -> Key {
    key(b"ic", &[id.as_bytes()])
}

pub(crate) fn pods(organization: OrganizationId) -> Key {
    key(b"ip", &[organization.as_bytes()])
}

pub(crate) fn pod(organization: OrganizationId, id: PodId) -> Key {
    key(b"ip", &[organization.as_bytes(), id.as_bytes()])
}

pub(crate) fn slug(organization: OrganizationId, slug: &str) -> Key {
    key(b"il", &[organization.as_bytes(), slug.as_bytes()])
}

pub(crate) fn pod_counters(id: PodId) -> Key {
    key(b"iu", &[id.as_bytes()])
}

pub(crate) fn inbox(id: InboxId) -> Key {
    key(b"ii", &[id.as_bytes()])
}

pub(crate) fn password(id: InboxId) -> Key {
    key(b"is", &[id.as_bytes()])
}

pub(crate) fn metadata(id: InboxId) -> Key {
    key(b"im", &[id.as_bytes()])
}

pub(crate) fn inboxes(organization: OrganizationId) -> Key {
    key(b"in", &[organization.as_bytes()])
}

pub(crate) fn listed_inbox(organization: OrganizationId, id: InboxId) -> Key {
    key(b"in", &[organization.as_bytes(), id.as_bytes()])
}

/// The address must be folded. 254 octets at most, so the key fits.
pub(crate) fn address(folded: &EmailAddress) -> Key {
    key(b"ia", &[folded.to_string().as_bytes()])
}

pub(crate) fn requests(organization: OrganizationId) -> Key {
    key(b"ir", &[organization.as_bytes()])
}

pub(crate) fn request(organization: OrganizationId, pod: Option<PodId>, folded: &EmailAddress) -> Key {
    let pod = pod.map_or([0; 16], |pod| *pod.as_bytes());
    let hash = Sha256::digest(folded.to_string().as_bytes());
    key(b"ir", &[organization.as_bytes(), &pod, &hash])
}

pub(crate) fn api_key(hash: &[u8; 32]) -> Key {
    key(b"ih", &[hash])
}

pub(crate) fn api_keys(scope: (u8, [u8; 16])) -> Key {
    key(b"iw", &[&[scope.0], &scope.1])
}

pub(crate) fn listed_api_key(scope: (u8, [u8; 16]), id: KeyId) -> Key {
    key(b"iw", &[&[scope.0], &scope.1, id.as_bytes()])
}

pub(crate) fn agent_keys(organization: OrganizationId) -> Key {
    key(b"ij", &[organization.as_bytes()])
}

pub(crate) fn agent_key(organization: OrganizationId, id: KeyId) -> Key {
    key(b"ij", &[organization.as_bytes(), id.as_bytes()])
}

pub(crate) fn inbox_keys(organization: OrganizationId) -> Key {
    key(b"iE", &[organization.as_bytes()])
}

pub(crate) fn inbox_key(organization: OrganizationId, id: KeyId) -> Key {
    key(b"iE", &[organization.as_bytes(), id.as_bytes()])
}

/// Client ids of an organization, of inboxes and pods.
pub(crate) fn client_ids(organization: OrganizationId) -> Key {
    key(b"ix", &[organization.as_bytes()])
}

/// `kind` is `i` for inboxes, `p` for pods.
pub(crate) fn client_id(organization: OrganizationId, kind: u8, client_id: &str) -> Key {
    let hash = Sha256::digest(client_id.as_bytes());
    key(b"ix", &[organization.as_bytes(), &[kind], &hash])
}

/// The address must be folded.
pub(crate) fn human(folded: &EmailAddress) -> Key {
    key(b"ie", &[&Sha256::digest(folded.to_string().as_bytes())])
}

pub(crate) fn otp(organization: OrganizationId) -> Key {
    key(b"iv", &[organization.as_bytes()])
}

pub(crate) fn purge(deleted_at: i64, id: InboxId) -> Key {
    key(b"iz", &[&deleted_at.max(0).to_be_bytes(), id.as_bytes()])
}

/// A configured domain that is too long for a key does not fit an address either; its row would be refused.
pub(crate) fn domain(domain: &Domain) -> Key {
    key(b"id", &[domain.as_str().as_bytes()])
}

/// What an organization claims.
pub(crate) fn claims(organization: OrganizationId) -> Key {
    key(b"it", &[organization.as_bytes()])
}

pub(crate) fn claim(organization: OrganizationId, domain: &Domain) -> Key {
    key(b"it", &[organization.as_bytes(), domain.as_str().as_bytes()])
}

/// Whose and which a key that [`claim`] made is.
pub(crate) fn claim_of(key: &[u8]) -> Option<(OrganizationId, Domain)> {
    let (organization, domain) = key.strip_prefix(CLAIMS)?.split_first_chunk()?;
    let domain = Domain::parse(std::str::from_utf8(domain).ok()?).ok()?;
    Some((OrganizationId::from_bytes(*organization), domain))
}

/// The domain of a key that [`domain`] made.
pub(crate) fn domain_of(key: &[u8]) -> Option<Domain> {
    Domain::parse(std::str::from_utf8(key.strip_prefix(DOMAINS)?).ok()?).ok()
}

pub(crate) fn dkim_keys(domain: &Domain) -> Key {
    key(b"ik", &[domain.as_str().as_bytes(), &[0]])
}

pub(crate) fn dkim_key(domain: &Domain, selector: &str) -> Key {
    key(b"ik", &[domain.as_str().as_bytes(), &[0], selector.as_bytes()])
}

/// Octets of an entry's key after which a hash stands for the rest.
const PLAIN_ENTRY_OCTETS: usize = 188;

/// The lists of all scopes of an organization.
pub(crate) fn lists(organization: OrganizationId) -> Key {
    key(b"ib", &[organization.as_bytes()])
}

pub(crate) fn lists_of(organization: OrganizationId, scope: [u8; 16]) -> Key {
    key(b"ib", &[organization.as_bytes(), &scope])
}

pub(crate) fn list(list: &List) -> Key {
    let mut prefix = lists_of(list.scope.organization(), list.scope.octets());
    prefix.extend([list.direction as u8, list.list_type as u8]);
    prefix
}

/// The entry must be folded.
pub(crate) fn list_entry(list: &List, entry: &str) -> Key {
    let mut key = self::list(list);
    match entry.as_bytes().split_at_checked(PLAIN_ENTRY_OCTETS) {
        None => key.extend_from_slice(entry.as_bytes()),
        Some((head, tail)) => {
            key.extend_from_slice(head);
            key.extend_from_slice(&Sha256::digest(tail));
        }
    }
    key
}

pub(crate) fn all_list_counts(organization: OrganizationId) -> Key {
    key(b"iy", &[organization.as_bytes()])
}

pub(crate) fn list_counts_of(organization: OrganizationId, scope: [u8; 16]) -> Key {
    key(b"iy", &[organization.as_bytes(), &scope])
}

pub(crate) fn list_counts(scope: &EntryScope) -> Key {
    list_counts_of(scope.organization(), scope.octets())
}

pub(crate) fn handle(handle: &Handle) -> Key {
    key(b"ig", &[handle.as_str().as_bytes()])
}

pub(crate) fn identity(id: IdentityId) -> Key {
    key(b"iI", &[id.as_bytes()])
}

pub(crate) fn identities(organization: OrganizationId) -> Key {
    key(b"iN", &[organization.as_bytes()])
}

pub(crate) fn listed_identity(organization: OrganizationId, id: IdentityId) -> Key {
    key(b"iN", &[organization.as_bytes(), id.as_bytes()])
}

pub(crate) fn grants_of(target: IdentityId) -> Key {
    key(b"iA", &[target.as_bytes()])
}

pub(crate) fn grants(target: IdentityId, set: GrantId) -> Key {
    key(b"iA", &[target.as_bytes(), set.as_bytes()])
}

pub(crate) fn grant(target: IdentityId, set: GrantId, viewer: IdentityId) -> Key {
    key(b"iA", &[target.as_bytes(), set.as_bytes(), viewer.as_bytes()])
}

/// The rules of all inboxes of an organization.
pub(crate) fn rules(organization: OrganizationId) -> Key {
    key(b"iR", &[organization.as_bytes()])
}

pub(crate) fn rules_of(organization: OrganizationId, inbox: InboxId) -> Key {
    key(b"iR", &[organization.as_bytes(), inbox.as_bytes()])
}

pub(crate) fn rule(organization: OrganizationId, inbox: InboxId, id: RuleId) -> Key {
    key(b"iR", &[organization.as_bytes(), inbox.as_bytes(), id.as_bytes()])
}

/// Whose and which a key that [`rule`] made is.
pub(crate) fn rule_of(key: &[u8]) -> Option<(InboxId, RuleId)> {
    let (rest, rule) = key.split_last_chunk()?;
    let inbox = last_id(rest)?;
    Some((InboxId::from_bytes(inbox), RuleId::from_bytes(*rule)))
}

pub(crate) fn rule_targets(inbox: InboxId) -> Key {
    key(b"iT", &[inbox.as_bytes()])
}

pub(crate) fn rule_target(inbox: InboxId, hash: &[u8; 32]) -> Key {
    key(b"iT", &[inbox.as_bytes(), hash])
}

pub(crate) fn signature(inbox: InboxId) -> Key {
    key(b"iS", &[inbox.as_bytes()])
}

pub(crate) fn signing_key(inbox: InboxId) -> Key {
    key(b"iY", &[inbox.as_bytes()])
}

/// The id at the end of a key that ends with one.
pub(crate) fn last_id(key: &[u8]) -> Option<[u8; 16]> {
    key.last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_address_fits_a_key() {
        let domain = ["abcdefghi"; 19].join(".");
        let address = EmailAddress::parse(&format!("{}@{domain}", "x".repeat(64))).unwrap();
        assert_eq!(super::address(&address).len(), postroom_store::MAX_KEY_OCTETS);
        let list = List {
            scope: EntryScope::Organization(OrganizationId::new()),
            direction: crate::Direction::Send,
            list_type: crate::ListType::Block,
        };
        let key = list_entry(&list, &address.to_string());
        assert_eq!(key.len(), postroom_store::MAX_KEY_OCTETS);
        // One that differs at the end alone has another key.
        assert_ne!(key, list_entry(&list, &format!("{}x", &address.to_string()[..253])));
    }
}
