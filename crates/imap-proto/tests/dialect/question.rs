//! Questions as text.

use super::{render_flags, render_uids};
use postroom_imap_proto::{ChangeMode, FetchItems, Question, Section, SectionText};
use postroom_wire::{Credentials, Evidence};

fn render_login(credentials: &Credentials) -> String {
    let user = &credentials.user;
    match &credentials.evidence {
        Evidence::Password(password) => format!("login {user} {}", password.expose()),
        Evidence::Token(token) => format!("login {user} token {}", token.expose()),
        Evidence::Scram(proof) => format!("login {user} proof of {}", String::from_utf8_lossy(&proof.auth_message)),
    }
}

pub(super) fn render(question: &Question) -> String {
    match question {
        Question::Login(credentials) => render_login(credentials),
        Question::Mailboxes => "mailboxes".to_owned(),
        Question::Status(name) => format!("status {name}"),
        Question::Select { name, read_only: false } => format!("select {name}"),
        Question::Select { name, read_only: true } => format!("examine {name}"),
        Question::Unselect => "unselect".to_owned(),
        Question::Create(name) => format!("create {name}"),
        Question::Delete(name) => format!("delete {name}"),
        Question::Rename { from, to } => format!("rename {from} to {to}"),
        Question::Subscribe { name, subscribed: true } => format!("subscribe {name}"),
        Question::Subscribe {
            name,
            subscribed: false,
        } => format!("unsubscribe {name}"),
        Question::AppendStart { name, octets } => format!("append-start {name} {octets}"),
        Question::Append {
            name,
            flags,
            internal_date,
        } => {
            let date = internal_date.map_or("now".to_owned(), |date| date.to_string());
            format!("append {name} {} {date}", render_flags(flags))
        }
        Question::Fetch { uids, items } => format!("fetch {}{}", render_uids(uids), render_items(items)),
        Question::Store { uids, change } => {
            let mode = match change.mode {
                ChangeMode::Add => "+",
                ChangeMode::Remove => "-",
                ChangeMode::Replace => "=",
            };
            format!("store {} {mode}{}", render_uids(uids), render_flags(&change.flags))
        }
        Question::Copy { uids, to } => format!("copy {} to {to}", render_uids(uids)),
        Question::Move { uids, to } => format!("move {} to {to}", render_uids(uids)),
        Question::Expunge(uids) => format!("expunge {}", render_uids(uids)),
        Question::Search { among, program } => format!("search {} {program:?}", render_uids(among)),
        Question::Poll => "poll".to_owned(),
    }
}

fn render_items(items: &FetchItems) -> String {
    let words = [
        (items.flags, " flags"),
        (items.internal_date, " date"),
        (items.size, " size"),
        (items.summary, " summary"),
        (items.ids, " ids"),
    ];
    let mut text: String = words
        .iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, word)| *word)
        .collect();
    for section in &items.sections {
        text.push_str(&render_section(section));
    }
    if items.set_seen {
        text.push_str(" set-seen");
    }
    text
}

fn render_section(section: &Section) -> String {
    let part: String = section.part.iter().map(|number| format!("{number}.")).collect();
    let what = match &section.text {
        SectionText::All => "all".to_owned(),
        SectionText::Header => "header".to_owned(),
        SectionText::Text => "text".to_owned(),
        SectionText::Mime => "mime".to_owned(),
        SectionText::HeaderFields { names, not: false } => format!("fields({})", names.join(",")),
        SectionText::HeaderFields { names, not: true } => format!("not-fields({})", names.join(",")),
    };
    let partial = section
        .partial
        .map_or(String::new(), |(origin, octets)| format!("<{origin}.{octets}>"));
    format!(" {part}{what}{partial}")
}
