//! Questions as text.

use super::{render_flags, render_uids};
use postroom_imap_proto::{
    Appending, ChangeMode, FetchItems, Question, Section, SectionForm, SectionText, Watch, WatchedMailboxes,
};
use postroom_types::{InternalDate, SortKey, Uid};
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
        Question::Statuses(names) => format!("statuses {}", names.join(" ")),
        Question::DeletedOctets(name) => format!("deleted-octets {name}"),
        Question::Quota => "quota".to_owned(),
        Question::Vanished { since, among } => format!("vanished since {since} among {}", render_ranges(among)),
        Question::Unselect => "unselect".to_owned(),
        Question::Create {
            name,
            special_use: None,
        } => format!("create {name}"),
        Question::Create {
            name,
            special_use: Some(special),
        } => format!("create {name} {}", special.attribute()),
        Question::Delete(name) => format!("delete {name}"),
        Question::Rename { from, to } => format!("rename {from} to {to}"),
        Question::Subscribe { name, subscribed: true } => format!("subscribe {name}"),
        Question::Subscribe {
            name,
            subscribed: false,
        } => format!("unsubscribe {name}"),
        Question::AppendStart { name, octets } => format!("append-start {name} {octets}"),
        Question::AppendMore { octets } => format!("append-more {octets}"),
        Question::AppendUrl(url) => format!("append-url {url}"),
        Question::Append {
            name,
            messages,
            replaces,
        } => {
            let messages: String = messages.iter().map(render_appending).collect();
            let replaces = replaces.map_or(String::new(), |uid| format!(" replacing {uid}"));
            format!("append {name}{messages}{replaces}")
        }
        Question::Fetch {
            uids,
            items,
            changed_since,
        } => {
            let since = changed_since.map_or(String::new(), |since| format!(" changed-since {since}"));
            format!("fetch {}{}{since}", render_uids(uids), render_items(items))
        }
        Question::Store {
            uids,
            change,
            unchanged_since,
        } => {
            let mode = match change.mode {
                ChangeMode::Add => "+",
                ChangeMode::Remove => "-",
                ChangeMode::Replace => "=",
            };
            let since = unchanged_since.map_or(String::new(), |since| format!(" unchanged-since {since}"));
            format!(
                "store {} {mode}{}{since}",
                render_uids(uids),
                render_flags(&change.flags)
            )
        }
        Question::Copy { uids, to } => format!("copy {} to {to}", render_uids(uids)),
        Question::Move { uids, to } => format!("move {} to {to}", render_uids(uids)),
        Question::Expunge(uids) => format!("expunge {}", render_uids(uids)),
        Question::Search { among, program } => format!("search {} {program:?}", render_uids(among)),
        Question::Sort { among, program, keys } => {
            let reverse = |key: &SortKey| if key.reverse { "-" } else { "" };
            let keys: String = keys
                .iter()
                .map(|key| format!(" {}{:?}", reverse(key), key.by))
                .collect();
            format!("sort {} {program:?} by{keys}", render_uids(among))
        }
        Question::Thread {
            among,
            program,
            algorithm,
        } => format!("thread {} {program:?} {algorithm:?}", render_uids(among)),
        Question::Watch(watches) => {
            let watches: String = watches.iter().map(render_watch).collect();
            format!("watch{watches}")
        }
        Question::Poll => "poll".to_owned(),
    }
}

/// ` (\Seen) now`
fn render_appending(appending: &Appending) -> String {
    let date = appending.internal_date.map_or("now".to_owned(), render_date);
    let binary = if appending.binary { " binary" } else { "" };
    format!(" {} {date}{binary}", render_flags(&appending.flags))
}

/// Seconds since 1970 UTC, and the zone unless it is UTC: `760168345-0800`.
fn render_date(date: InternalDate) -> String {
    let (seconds, zone) = (date.seconds, date.zone_minutes());
    let sign = match zone.signum() {
        0 => return seconds.to_string(),
        1 => '+',
        _ => '-',
    };
    format!("{seconds}{sign}{:02}{:02}", zone.abs() / 60, zone.abs() % 60)
}

fn render_watch(watch: &Watch) -> String {
    let which = match &watch.mailboxes {
        WatchedMailboxes::Inboxes => "inboxes".to_owned(),
        WatchedMailboxes::Personal => "personal".to_owned(),
        WatchedMailboxes::Subscribed => "subscribed".to_owned(),
        WatchedMailboxes::Subtree(names) => format!("subtree {}", names.join(",")),
        WatchedMailboxes::Names(names) => names.join(","),
    };
    let words = [
        (watch.messages, " messages"),
        (watch.flags, " flags"),
        (watch.names, " names"),
        (watch.subscriptions, " subscriptions"),
    ];
    let words: String = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    format!(" [{which}:{words}]")
}

fn render_ranges(ranges: &[(Uid, Uid)]) -> String {
    let show = |(a, b): &(Uid, Uid)| if a == b { a.to_string() } else { format!("{a}:{b}") };
    ranges.iter().map(show).collect::<Vec<_>>().join(",")
}

fn render_items(items: &FetchItems) -> String {
    let words = [
        (items.flags, " flags"),
        (items.internal_date, " date"),
        (items.size, " size"),
        (items.summary, " summary"),
        (items.ids, " ids"),
        (items.save_date, " save-date"),
        (items.preview, " preview"),
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
    let form = match section.form {
        SectionForm::Body => "",
        SectionForm::Binary => "binary:",
        SectionForm::BinarySize => "binary-size:",
    };
    let part: String = section.part.iter().map(|number| format!("{number}.")).collect();
    let what = match &section.text {
        SectionText::All => "all".to_owned(),
        SectionText::Header => "header".to_owned(),
        SectionText::Text => "text".to_owned(),
        SectionText::Mime => "mime".to_owned(),
        SectionText::HeaderFields { names, not: false } => format!("fields({})", names.join(",")),
        SectionText::HeaderFields { names, not: true } => format!("not-fields({})", names.join(",")),
    };
    let partial = match section.partial {
        None => String::new(),
        Some((origin, u64::MAX)) => format!("<{origin}>"),
        Some((origin, octets)) => format!("<{origin}.{octets}>"),
    };
    format!(" {form}{part}{what}{partial}")
}
