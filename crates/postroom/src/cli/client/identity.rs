//! Identities: agents with a handle, over the inboxes that they have.

use super::Paging;
use clap::{Args, Subcommand};

/// What the help of the group shows beside the exit codes.
pub(crate) const IDENTITY_EXAMPLES: &str = "\
Examples:
  postroom identity create scout --display-name 'Scout'    scout@ with it, on the server's own domain
  postroom identity key create scout --label laptop        a key for it, printed once
  postroom identity give desk@example.org desk-bot         an identity for an inbox that is there
  postroom identity grant scout ranger                     ranger may find scout
  postroom identity rule add scout block spam.example      nothing from there, nothing to there
  postroom identity update scout --inbound whitelist       only whom a rule allows may write to it";

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityVerb {
    /// Make an identity with its inbox; a key for it is made with `identity key create`
    Create(Box<NewIdentity>),
    /// Give an identity to an inbox that is there and has none; address, keys and mail stay. Also with an operator key
    Give {
        /// The inbox: its address or id
        inbox: String,
        /// What it is to be called; need not be the local-part of its address
        handle: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List identities; with an agent's key itself and those it may find
    #[command(visible_alias = "list")]
    Ls,
    /// Show one
    Show {
        /// Its handle
        handle: String,
    },
    /// Change one
    Update(Box<ChangedIdentity>),
    /// Let it send nothing; mail for it still comes in
    Pause {
        /// Its handle
        handle: String,
    },
    /// Let it send, and receive, again
    Resume {
        /// Its handle
        handle: String,
    },
    /// Delete one, with its inbox, its mail and its keys
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its handle
        handle: String,
    },
    /// Show who may find it
    Access {
        /// Its handle
        handle: String,
    },
    /// Let another identity find it, or all of them
    Grant {
        /// Its handle
        handle: String,
        /// Who may find it: a handle or id
        #[arg(required_unless_present = "everybody")]
        viewer: Option<String>,
        /// All identities of the organization, also later ones, in place of those granted one by one
        #[arg(long, conflicts_with = "viewer")]
        everybody: bool,
    },
    /// Let another identity find it no longer; if all may, all others that are active still do, one by one
    Revoke {
        /// Its handle
        handle: String,
        /// Who may not: a handle or id
        viewer: String,
    },
    /// Whom it hears from and writes to
    #[command(visible_alias = "rules")]
    Rule {
        #[command(subcommand)]
        verb: RuleVerb,
    },
    /// Show or change what stands below the mail that it sends
    Signature(SignatureChange),
    /// Keys of agents
    Key {
        #[command(subcommand)]
        verb: AgentKeyVerb,
    },
    /// Show whether it has a key that signs its webhooks
    SigningKey {
        /// Its handle
        handle: String,
        /// Make a new one, and print it, once
        #[arg(long)]
        rotate: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewIdentity {
    /// What it is called: 3 to 63 of a-z, 0-9 and -
    pub(crate) handle: String,
    /// Name shown in From [default: the handle]
    #[arg(long)]
    pub(crate) display_name: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Local-part of its address on a domain of the organization [default: the handle]
    #[arg(long, value_name = "NAME")]
    pub(crate) local_part: Option<String>,
    /// Domain of its address [default: the organization's default domain, or the server's]
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// On the server's own domain, even if the organization has another as its default
    #[arg(long, conflicts_with_all = ["domain", "local_part"])]
    pub(crate) server_domain: bool,
}

/// What becomes of mail that no rule is about.
const MODES: [&str; 2] = ["blacklist", "whitelist"];

#[derive(Debug, Args)]
pub(crate) struct ChangedIdentity {
    /// Its handle
    pub(crate) handle: String,
    /// Call it so from now on; its address stays
    #[arg(long, value_name = "HANDLE")]
    pub(crate) rename: Option<String>,
    /// Name shown in From; empty takes it away
    #[arg(long)]
    pub(crate) display_name: Option<String>,
    /// What it is for; empty takes it away
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Take mail from all but whom a rule blocks (blacklist), or from none but whom one allows (whitelist)
    #[arg(long, value_name = "MODE", value_parser = MODES)]
    pub(crate) inbound: Option<String>,
    /// The same for whom it may write to
    #[arg(long, value_name = "MODE", value_parser = MODES)]
    pub(crate) outbound: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SignatureChange {
    /// Its handle
    pub(crate) handle: String,
    /// As text; empty takes it away
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// As HTML; without a text one is made of it. Empty takes it away
    #[arg(long)]
    pub(crate) html: Option<String>,
    /// Put it below mail from now on
    #[arg(long, conflicts_with = "disable")]
    pub(crate) enable: bool,
    /// No longer
    #[arg(long)]
    pub(crate) disable: bool,
}

/// Which way mail goes that a rule is about.
const DIRECTIONS: [&str; 3] = ["inbound", "outbound", "both"];
const ACTIONS: [&str; 2] = ["allow", "block"];

#[derive(Debug, Subcommand)]
pub(crate) enum RuleVerb {
    /// Allow or block an address or a domain
    Add {
        /// The handle of the identity
        handle: String,
        /// What to do
        #[arg(value_parser = ACTIONS)]
        action: String,
        /// An address or a domain
        target: String,
        /// Which way
        #[arg(long, default_value = "both", value_parser = DIRECTIONS)]
        direction: String,
        /// Not in force yet
        #[arg(long)]
        paused: bool,
    },
    /// List the rules of an identity, or of all
    #[command(visible_alias = "list")]
    Ls {
        /// The handle of the identity; without it, of all
        handle: Option<String>,
        /// Only those that allow, or that block
        #[arg(long, value_parser = ACTIONS)]
        action: Option<String>,
        /// Only of this direction
        #[arg(long, value_parser = DIRECTIONS)]
        direction: Option<String>,
        /// At most this many, up to 1000
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u64,
        /// Leave out so many at the beginning
        #[arg(long, value_name = "N", conflicts_with = "page")]
        offset: Option<u64>,
        /// Go on where a page ended
        #[arg(long, value_name = "TOKEN")]
        page: Option<String>,
    },
    /// Show one
    Show {
        /// The handle of the identity
        handle: String,
        /// The rule's id
        id: String,
    },
    /// Change one; whom it is about stays
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Update {
        /// The handle of the identity
        handle: String,
        /// The rule's id
        id: String,
        /// What to do
        #[arg(long, value_parser = ACTIONS, group = "change")]
        action: Option<String>,
        /// Which way
        #[arg(long, value_parser = DIRECTIONS, group = "change")]
        direction: Option<String>,
        /// Not in force for now
        #[arg(long, conflicts_with = "resume", group = "change")]
        pause: bool,
        /// In force again
        #[arg(long, group = "change")]
        resume: bool,
    },
    /// Delete one
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// The handle of the identity
        handle: String,
        /// The rule's id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentKeyVerb {
    /// Make a key for an identity; prints it, once. It opens the API, IMAP and SMTP
    Create {
        /// The handle of the identity
        handle: String,
        /// What to tell it by
        #[arg(long, default_value = "postroom identity key create")]
        label: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List the keys of the organization and of its agents
    #[command(visible_alias = "list")]
    Ls(Paging),
    /// Revoke one
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// The key's id
        id: String,
    },
}
