//! Answers and news from text: words with values, `name=value`; values with spaces in quotes.

use super::{parse_flags, parse_uids};
use postroom_imap_proto::{
    Answer, Copied, Fault, Fetched, FlagsNow, MailboxEntry, News, Question, Selected, StatusData,
};
use postroom_testkit::unescape;
use postroom_types::{
    AddressEntry, BlobId, BlobSpan, EmailId, Envelope, Keyword, MailboxId, ModSeq, Part, Piece, SpecialUse, ThreadId,
    Uid, UidValidity,
};

type Read<T> = Result<T, String>;

pub(super) fn parse(question: &Question, text: &str) -> Read<Answer> {
    if matches!(question, Question::Poll) {
        return news(text).map(Answer::News);
    }
    let fault = fault(text);
    Ok(match question {
        // `ok signed` shows a SCRAM client 32 octets `\x09`.
        Question::Login(_) => Answer::Login(fault.map_or_else(|| Ok((text == "ok signed").then_some([9; 32])), Err)),
        Question::Unselect
        | Question::Create(_)
        | Question::Delete(_)
        | Question::Rename { .. }
        | Question::Subscribe { .. }
        | Question::AppendStart { .. }
        | Question::Expunge(_) => Answer::Done(fault.map_or(Ok(()), Err)),
        Question::Mailboxes => match fault {
            Some(fault) => Answer::Mailboxes(Err(fault)),
            None => Answer::Mailboxes(Ok(text.lines().map(mailbox).collect())),
        },
        Question::Status(_) => match fault {
            Some(fault) => Answer::Status(Err(fault)),
            None => Answer::Status(Ok(status(text)?)),
        },
        Question::Select { .. } => match fault {
            Some(fault) => Answer::Selected(Err(fault)),
            None => Answer::Selected(Ok(selected(text)?)),
        },
        Question::Append { .. } => match fault {
            Some(fault) => Answer::Appended(Err(fault)),
            None => {
                let (validity, uid) = text.split_once(' ').ok_or("validity and UID expected")?;
                Answer::Appended(Ok((validity_of(validity)?, uid_of(uid)?)))
            }
        },
        Question::Fetch { .. } => match fault {
            Some(fault) => Answer::Fetched(Err(fault)),
            None => Answer::Fetched(Ok(text
                .lines()
                .filter(|line| *line != "none")
                .map(fetched)
                .collect::<Read<_>>()?)),
        },
        Question::Store { .. } => match fault {
            Some(fault) => Answer::Stored(Err(fault)),
            None => Answer::Stored(Ok(text
                .lines()
                .filter(|line| *line != "none")
                .map(flags_now)
                .collect::<Read<_>>()?)),
        },
        Question::Copy { .. } | Question::Move { .. } => match fault {
            Some(fault) => Answer::Copied(Err(fault)),
            None => Answer::Copied(Ok(copied(text)?)),
        },
        Question::Search { .. } => match fault {
            Some(fault) => Answer::Found(Err(fault)),
            None => Answer::Found(Ok(if text == "none" { Vec::new() } else { parse_uids(text)? })),
        },
        Question::Poll => unreachable!("read above"),
    })
}

/// `nothing`, or `appended=… expunged=… flags=UID:FLAGS … bye=…`.
pub(super) fn news(text: &str) -> Read<News> {
    let mut news = News::default();
    for (name, value) in words(text)? {
        match name.as_str() {
            "nothing" => {}
            "appended" => news.appended = parse_uids(&value)?,
            "expunged" => news.expunged = parse_uids(&value)?,
            "flags" => news.flags.push(flags_now(&value.replacen(':', " ", 1))?),
            "bye" => news.bye = Some("Goodbye from outside"),
            _ => return Err(format!("no news: {name}")),
        }
    }
    Ok(news)
}

fn fault(text: &str) -> Option<Fault> {
    Some(match text {
        "authentication-failed" => Fault::AuthenticationFailed,
        "authorization-failed" => Fault::AuthorizationFailed,
        "unavailable" => Fault::Unavailable,
        "no-such-mailbox" => Fault::NoSuchMailbox,
        "already-exists" => Fault::AlreadyExists,
        "cannot" => Fault::Cannot,
        "has-children" => Fault::HasChildren,
        "over-quota" => Fault::OverQuota,
        "too-big" => Fault::TooBig,
        "limit" => Fault::Limit,
        "internal" => Fault::Internal,
        _ => return None,
    })
}

/// Splits at spaces outside quotes; quotes and what is escaped in them stay in the value.
fn words(text: &str) -> Read<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().ok_or("no word")?.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    let split = |word: String| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (word, String::new()),
    };
    Ok(words.into_iter().filter(|word| !word.is_empty()).map(split).collect())
}

fn number<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

fn uid_of(text: &str) -> Read<Uid> {
    Uid::new(number(text)?).ok_or_else(|| "zero is no UID".to_owned())
}

fn validity_of(text: &str) -> Read<UidValidity> {
    UidValidity::new(number(text)?).ok_or_else(|| "zero is no UIDVALIDITY".to_owned())
}

/// `exists,subscribed,marked,\Sent NAME`
fn mailbox(line: &str) -> MailboxEntry {
    let (words, name) = line.split_once(' ').unwrap_or(("exists", line));
    let words: Vec<&str> = words.split(',').collect();
    MailboxEntry {
        name: name.to_owned(),
        exists: words.contains(&"exists"),
        subscribed: words.contains(&"subscribed"),
        special_use: SpecialUse::ALL
            .into_iter()
            .find(|special| words.contains(&special.attribute())),
        marked: if words.contains(&"marked") {
            Some(true)
        } else {
            words.contains(&"unmarked").then_some(false)
        },
    }
}

fn status(text: &str) -> Read<StatusData> {
    let mut data = StatusData {
        messages: 0,
        recent: 0,
        uid_next: Uid::MIN,
        uid_validity: UidValidity::MIN,
        unseen: 0,
        deleted: 0,
        size_octets: 0,
        highest_modseq: ModSeq(0),
    };
    for (name, value) in words(text)? {
        match name.as_str() {
            "messages" => data.messages = number(&value)?,
            "recent" => data.recent = number(&value)?,
            "uidnext" => data.uid_next = uid_of(&value)?,
            "uidvalidity" => data.uid_validity = validity_of(&value)?,
            "unseen" => data.unseen = number(&value)?,
            _ => return Err(format!("no status item: {name}")),
        }
    }
    Ok(data)
}

fn selected(text: &str) -> Read<Selected> {
    let mut selected = Selected {
        id: MailboxId::new(),
        uid_validity: UidValidity::MIN,
        uid_next: Uid::MIN,
        highest_modseq: ModSeq(0),
        uids: Vec::new(),
        recent_from: None,
        first_unseen: None,
        keywords: Vec::new(),
    };
    for (name, value) in words(text)? {
        match name.as_str() {
            "uids" => selected.uids = parse_uids(&value)?,
            "uidvalidity" => selected.uid_validity = validity_of(&value)?,
            "uidnext" => selected.uid_next = uid_of(&value)?,
            "recent" => selected.recent_from = Some(uid_of(&value)?),
            "unseen" => selected.first_unseen = Some(uid_of(&value)?),
            "keywords" => selected.keywords = value.split(',').filter_map(Keyword::new).collect(),
            _ => return Err(format!("no select item: {name}")),
        }
    }
    Ok(selected)
}

/// `UID FLAGS`
fn flags_now(text: &str) -> Read<FlagsNow> {
    let (uid, flags) = text.split_once(' ').unwrap_or((text, ""));
    Ok(FlagsNow {
        uid: uid_of(uid)?,
        flags: parse_flags(flags),
        modseq: ModSeq(1),
    })
}

/// `VALIDITY SOURCES TARGETS`
fn copied(text: &str) -> Read<Copied> {
    let mut parts = text.split(' ');
    let uid_validity = validity_of(parts.next().unwrap_or_default())?;
    let sources = parse_uids(parts.next().unwrap_or_default())?;
    let targets = parse_uids(parts.next().unwrap_or_default())?;
    Ok(Copied {
        uid_validity,
        pairs: sources.into_iter().zip(targets).collect(),
    })
}

/// `UID flags=… date=… size=… changed summary s="…" s=NIL s=blob`, with `blob` a stored piece of 512 octets.
fn fetched(line: &str) -> Read<Fetched> {
    let (uid, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut fetched = Fetched {
        uid: uid_of(uid)?,
        flags: None,
        modseq: ModSeq(1),
        flags_changed: false,
        internal_date: 0,
        size_octets: 0,
        email_id: EmailId::from_bytes([0; 16]),
        thread_id: ThreadId::from_bytes([0; 16]),
        summary: None,
        sections: Vec::new(),
    };
    for (name, value) in words(rest)? {
        match name.as_str() {
            "flags" => fetched.flags = Some(parse_flags(&value)),
            "date" => fetched.internal_date = number(&value)?,
            "size" => fetched.size_octets = number(&value)?,
            "changed" => fetched.flags_changed = true,
            "summary" => fetched.summary = Some(Box::new(the_summary_of_the_rfc())),
            "s" => fetched.sections.push(section(&value)?),
            _ => return Err(format!("no fetch item: {name}")),
        }
    }
    Ok(fetched)
}

fn section(value: &str) -> Read<Option<Vec<Piece>>> {
    Ok(match value {
        "NIL" => None,
        "blob" => {
            let span = BlobSpan {
                id: BlobId(7_u128.to_be_bytes()),
                offset: 0,
                octets: 512,
            };
            Some(vec![Piece::Inline(b"Received: x\r\n".to_vec()), Piece::Stored(span)])
        }
        quoted => Some(vec![Piece::Inline(unescape(quoted)?)]),
    })
}

/// The message in the example of RFC 3501 §8.
fn the_summary_of_the_rfc() -> (Envelope, Part) {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let entry = |name: Option<&str>, mailbox, host| AddressEntry {
        name: name.and_then(bytes),
        mailbox: bytes(mailbox),
        host: bytes(host),
    };
    let envelope = Envelope {
        date: bytes("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"),
        subject: bytes("IMAP4rev1 WG mtg summary and minutes"),
        from: Some(vec![entry(Some("Terry Gray"), "gray", "cac.washington.edu")]),
        to: Some(vec![entry(None, "imap", "cac.washington.edu")]),
        message_id: bytes("<B27397-0100000@cac.washington.edu>"),
        ..Envelope::default()
    };
    let part = Part {
        media_type: b"TEXT".to_vec(),
        subtype: b"PLAIN".to_vec(),
        params: vec![(b"CHARSET".to_vec(), b"US-ASCII".to_vec())],
        end_offset: 3028,
        lines: 92,
        ..Part::default()
    };
    (envelope, part)
}
