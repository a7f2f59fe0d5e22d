//! The commands that talk to a running server over its HTTP API.
//!
//! What always holds: `ls` is also called `list`, and `rm` also `delete` and `remove`; ids and addresses are as the API
//! tells them; every group takes the server's address, a key and `--json`.

mod account;
mod domain;
mod draft;
mod identity;
mod import;
mod inbox;
mod mail;
mod rules;
mod shared;

pub(crate) use account::{AgentVerb, KeyVerb, Limits, OrgVerb, PodVerb};
pub(crate) use domain::{DomainVerb, Format, QueueVerb, Which};
pub(crate) use draft::{DraftVerb, Drafted};
pub(crate) use identity::{AgentKeyVerb, ChangedIdentity, IdentityVerb, NewIdentity, RuleVerb, SignatureChange};
pub(crate) use import::{Import, ImportVerb, IntoInbox, NewImport, OneImport};
pub(crate) use inbox::{AliasVerb, InboxVerb, NewInbox, Switch};
pub(crate) use mail::{MessageVerb, One, Target, ThreadVerb, Wait};
pub(crate) use rules::{EventsVerb, Heard, ListVerb, Listed, MetricsVerb, Points, WebhookVerb};
pub(crate) use shared::{ApiArgs, Content, Copies, Filter, Labels, Paging, Recipients, Time, Within};

use clap::{Args, Subcommand};
use identity::IDENTITY_EXAMPLES;
use import::IMPORT_EXAMPLES;

/// What the exit codes of these commands mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes of the commands that talk to a server:
  0  done
  1  refused, or failed
  2  the command line is wrong
  3  not found, as far as this key can see
  4  no key, a wrong one, or one that may not do that
  5  nothing came in time (message wait)";

/// A group of commands: what all of them take, and one of them.
#[derive(Debug, Args)]
pub(crate) struct Group<V: Subcommand> {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(subcommand)]
    pub(crate) verb: V,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Organizations, with an operator key
    #[command(after_help = EXIT_CODES)]
    Org(Group<OrgVerb>),
    /// Pods: isolated parts of an organization
    #[command(after_help = EXIT_CODES)]
    Pod(Group<PodVerb>),
    /// API keys of an organization, a pod or an inbox, with permissions
    #[command(after_help = EXIT_CODES)]
    Key(Group<KeyVerb>),
    /// Inboxes
    #[command(after_help = EXIT_CODES)]
    Inbox(Group<InboxVerb>),
    /// Agents with a handle, each over one inbox: who they are, who finds them, whom they hear from. With a tenant key
    #[command(after_help = format!("{IDENTITY_EXAMPLES}\n\n{EXIT_CODES}"))]
    Identity(Group<IdentityVerb>),
    /// Bring mail along in a file: mbox, eml, or a zip archive of them. With a tenant key, or the key of the inbox
    #[command(after_help = format!("{IMPORT_EXAMPLES}\n\n{EXIT_CODES}"))]
    Import(Box<Import>),
    /// Messages of an inbox, coming and going
    #[command(after_help = EXIT_CODES)]
    Message(Group<MessageVerb>),
    /// Threads
    #[command(after_help = EXIT_CODES)]
    Thread(Group<ThreadVerb>),
    /// Drafts, and mail that goes later
    #[command(after_help = EXIT_CODES)]
    Draft(Group<DraftVerb>),
    /// Allow and block lists
    #[command(after_help = EXIT_CODES)]
    List(Group<ListVerb>),
    /// Webhooks
    #[command(after_help = EXIT_CODES)]
    Webhook(Group<WebhookVerb>),
    /// What happens, in order
    #[command(after_help = EXIT_CODES)]
    Events(Group<EventsVerb>),
    /// Counts over time
    #[command(after_help = EXIT_CODES)]
    Metrics(Group<MetricsVerb>),
    /// Mail domains, their keys and DNS records: with an operator key the server's, else the organization's own
    #[command(after_help = EXIT_CODES)]
    Domain(Group<DomainVerb>),
    /// Mail on its way out
    #[command(after_help = EXIT_CODES)]
    Queue(Group<QueueVerb>),
    /// Agents that sign themselves up
    #[command(after_help = EXIT_CODES)]
    Agent(Group<AgentVerb>),
    /// Whose key this is, and what it sees
    #[command(after_help = EXIT_CODES)]
    Whoami {
        #[command(flatten)]
        api: ApiArgs,
    },
}
