//! Organizations, pods, inboxes, agents' identities, names, passwords, API keys, contact rules, and domains with their DKIM
//! keys.
//!
//! What always holds:
//! - One row per folded address: usernames, aliases, handles and tombstones share one name space per domain, so no address is
//!   ever given out twice. It is put under `Absent` in the commit that makes its owner; nothing is checked first.
//! - What is deleted is hidden from every face by the same commit; its addresses stay as tombstones for its organization.
//! - Secrets to log in with are shown once and kept only as hashes and SCRAM keys; keys that we sign with are kept as they
//!   are. None is ever logged.
//! - No password is hashed while a commit is open, and never more at once than [`Options::hashing_permits`].

mod addresses;
mod agents;
mod api_keys;
mod attempts;
mod bootstrap;
mod client_id;
mod contact_rules;
mod create;
mod credentials;
mod default_domain;
mod delete;
mod dkim;
mod dns;
mod domains;
mod error;
mod handle;
mod hashing;
mod hosted;
mod identities;
mod inbox_list;
mod inboxes;
mod keys;
mod limiter;
mod lists;
mod login;
mod metadata;
mod names;
mod organizations;
mod page;
mod parts;
mod permissions;
mod place;
mod pods;
mod purge;
mod record;
mod resolve;
mod scram;
mod secrets;
mod signature;
mod signing_keys;
mod successes;
mod tenant_domains;
mod visibility;

pub use agents::{AgentLimits, HumanSet, SignUp, SignedUp};
pub use api_keys::{KeyChange, KeyPage, KeyRecord, KeyScope, KeyWish, NewKey, Principal};
pub use bootstrap::Operator;
pub use contact_rules::{
    ContactRule, FilterMode, MAX_RULES_READ, MatchType, RuleAction, RuleChange, RuleDirection, RuleFilter, RulePage,
    RulePlace, RuleWish, RulesFrom,
};
pub use create::{CreateInbox, CreateOutcome};
pub use credentials::{Rotate, Rotated};
pub use dkim::{DkimKeySummary, KeyStage};
pub use dns::{DnsRecord, zone_file};
pub use domains::DomainRecord;
pub use error::IdentityError;
pub use handle::Handle;
pub use identities::{
    AgentHandle, AgentIdentity, CreateIdentity, DomainChoice, GivenIdentity, IdentityChange, IdentityPage, Namespace,
};
pub use inbox_list::InboxPage;
pub use inboxes::{InboxChange, Reach};
pub use limiter::LoginLimits;
pub use lists::{Direction, EntryPage, EntryScope, List, ListEntry, ListType, Listed, ListsOver, Refusal};
pub use login::{Login, LoginError, LoginRights, Purpose};
pub use metadata::Metadata;
pub use organizations::{NewOrganization, OrganizationChange, StorageUse};
pub use page::PageOf;
pub use permissions::{Permission, Permissions, UnknownPermission};
pub use pods::PodWish;
pub use record::{AgentState, CredentialEpoch, InboxRecord, KeyKind, Organization, Pod, Standing};
pub use resolve::Resolution;
pub use secrets::{random_seed, random_token};
pub use signature::{MAX_SIGNATURE_CHARACTERS, Signature, SignatureChange};
pub use signing_keys::SigningKey;
pub use tenant_domains::{
    CheckedRecord, DomainChange, DomainNames, DomainStatus, DomainWish, NoNames, RecordStatus, TenantDomain,
};
pub use visibility::AccessRow;

use api_keys::Uses;
use hashing::Hasher;
use hosted::Hosted;
use login::Logins;
use organizations::Sums;
use postroom_mailstore::Mailstore;
use postroom_store::SharedStore;
use postroom_types::{Domain, ScramParameters};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What identity needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The domain of inboxes that name none; the operator's postmaster lives here.
    pub default_domain: Domain,
    /// The name of this server: where the MX records of its domains point. Default: the default domain.
    pub hostname: Domain,
    /// Further domains of the operator, open to every organization.
    pub hosted_domains: Vec<Domain>,
    /// Names nobody may take, beyond the built-in ones; folded.
    pub reserved_names: Vec<String>,
    /// Octets an inbox may hold. Default 10 GiB.
    pub quota_octets: u64,
    /// Passwords hashed at once, 19 MiB each. Default: the number of cores.
    pub hashing_permits: usize,
    /// Whether an `am_` key of an inbox's organization or pod opens the inbox over IMAP and SMTP. Default true.
    pub organization_key_login: bool,
    /// Whether the domains of organizations are taken to be theirs without asking the DNS: for trying out, where there is
    /// none. Default false.
    pub trust_domains: bool,
    /// How fast wrong passwords may be tried; `None` is without limit, for trying out on loopback.
    pub login_limits: Option<LoginLimits>,
}

impl Options {
    /// The defaults, for this domain.
    #[must_use]
    pub fn new(default_domain: Domain) -> Self {
        Self {
            hostname: default_domain.clone(),
            default_domain,
            hosted_domains: Vec::new(),
            reserved_names: Vec::new(),
            quota_octets: 10 << 30,
            hashing_permits: std::thread::available_parallelism().map_or(2, usize::from),
            organization_key_login: true,
            trust_domains: false,
            login_limits: Some(LoginLimits::default()),
        }
    }
}

/// Who owns which address and who may do what. One for the whole server.
pub struct Identity {
    store: SharedStore,
    mailstore: Arc<Mailstore>,
    options: Options,
    hasher: Hasher,
    logins: Logins,
    scram: OnceCell<Arc<ScramParameters>>,
    hosted: Hosted,
    uses: Uses,
    sums: Sums,
}

impl Identity {
    /// An identity service on this store; the mail store must use the same one.
    #[must_use]
    pub fn new(store: SharedStore, mailstore: Arc<Mailstore>, options: Options) -> Self {
        Self {
            store,
            mailstore,
            hosted: Hosted::default(),
            uses: Uses::default(),
            sums: Sums::default(),
            hasher: Hasher::new(options.hashing_permits),
            logins: Logins::new(options.login_limits.clone()),
            scram: OnceCell::new(),
            options,
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }
}
