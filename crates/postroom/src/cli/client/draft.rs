//! Drafts.

use super::{Copies, One, Paging, Target, Time, Within};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum DraftVerb {
    /// Make a draft; with --send-at it goes by itself
    Create {
        /// The inbox's address or id
        inbox: String,
        #[command(flatten)]
        drafted: Box<Drafted>,
        /// A label of it; may be given several times
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
        /// The message that it answers
        #[arg(long, value_name = "ID")]
        in_reply_to: Option<String>,
        /// Answer everybody that message went to
        #[arg(long, requires = "in_reply_to")]
        all: bool,
        /// The message that it passes on
        #[arg(long, value_name = "ID", conflicts_with = "in_reply_to")]
        forward_of: Option<String>,
        /// An id of your own: asked again with the same, it is made once
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
    },
    /// List drafts
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        within: Within,
        /// Only with this label; may be given several times
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    Show(One),
    /// Change one; what is not given stays
    Update {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        drafted: Box<Drafted>,
        /// Take this away; may be given several times
        #[arg(long, value_name = "FIELD", value_parser = CLEARED)]
        clear: Vec<String>,
        /// An attachment to take away, by its id
        #[arg(long, value_name = "ID")]
        detach: Vec<String>,
        /// Give this label
        #[arg(long, value_name = "LABEL")]
        add_label: Vec<String>,
        /// Take this label away
        #[arg(long, value_name = "LABEL")]
        remove_label: Vec<String>,
    },
    /// Send one now
    Send {
        #[command(flatten)]
        one: One,
        /// A further label of the sent message
        #[arg(long, value_name = "LABEL")]
        add_label: Vec<String>,
        /// A label of the draft that the sent message does not get
        #[arg(long, value_name = "LABEL")]
        remove_label: Vec<String>,
        /// Sent again with the same key, it goes once
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Delete one; one that waits does not go
    #[command(visible_aliases = ["delete", "remove"])]
    Rm(One),
    /// One of its attachments
    Attachment {
        #[command(flatten)]
        one: One,
        /// The attachment's id
        attachment: String,
        #[command(flatten)]
        target: Target,
    },
}

/// What can be taken away from a draft.
const CLEARED: [&str; 8] = ["to", "cc", "bcc", "reply_to", "subject", "text", "html", "send_at"];

/// What is in a draft.
#[derive(Debug, Args)]
pub(crate) struct Drafted {
    /// To whom; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    #[command(flatten)]
    pub(crate) copies: Copies,
    /// Where answers are to go
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) reply_to: Vec<String>,
    /// Its subject
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// The text; - is standard input
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// The text as HTML
    #[arg(long)]
    pub(crate) html: Option<String>,
    /// A file to go along; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// When it is to go by itself (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) send_at: Option<String>,
}
