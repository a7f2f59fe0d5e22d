//! Answers and news from text: words with values, `name=value`; values with spaces in quotes.

use super::{parse_flags, parse_uids};
use postroom_imap_proto::{
    Answer, Copied, Fault, Fetched, FetchedPiece, FlagsNow, Found, MailboxEntry, News, OtherNews, Question, QuotaData,
    SectionData, Selected, StatusData, Stored,
};
use postroom_testkit::unescape;
use postroom_types::{
    AddressEntry, BlobId, BlobSpan, EmailId, Envelope, InternalDate, Keyword, MailboxId, ModSeq, Part, Piece,
    SpecialUse, Summary, ThreadId, Uid, UidValidity,
};
use std::sync::Arc;

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
        | Question::Rename { .. }
        | Question::Subscribe { .. }
        | Question::AppendStart { .. }
        | Question::AppendMore { .. }
        | Question::AppendUrl(_)
        | Question::Expunge(_) => Answer::Done(fault.map_or(Ok(()), Err)),
        // `ok selected`: it is the one that `select` opens.
        Question::Delete(_) => Answer::Deleted(read(fault, || {
            let number = if text == "ok selected" { 1 } else { 2 };
            Ok(MailboxId::from_bytes([number; 16]))
        })?),
        Question::Mailboxes => match fault {
            Some(fault) => Answer::Mailboxes(Err(fault)),
            None => Answer::Mailboxes(Ok(text.lines().map(mailbox).collect())),
        },
        Question::Status(_) => match fault {
            Some(fault) => Answer::Status(Err(fault)),
            None => Answer::Status(Ok(status(text)?)),
        },
        Question::Statuses(_) => Answer::Statuses(read(fault, || {
            let line = |line: &str| {
                if line == "none" {
                    Ok(None)
                } else {
                    status(line).map(Some)
                }
            };
            text.lines().map(line).collect()
        })?),
        Question::Watch(_) => Answer::Watching(read(fault, || {
            text.lines().filter(|line| *line != "none").map(named_status).collect()
        })?),
        Question::DeletedOctets(_) => Answer::DeletedOctets(read(fault, || number(text))?),
        Question::Quota => Answer::Quota(read(fault, || quota(text))?),
        Question::Vanished { .. } => Answer::Vanished(read(fault, || ranges(text))?),
        Question::Create { .. } => Answer::Created(read(fault, || Ok(MailboxId::from_bytes([1; 16])))?),
        Question::Select { .. } => match fault {
            Some(fault) => Answer::Selected(Err(fault)),
            None => Answer::Selected(Ok(selected(text)?)),
        },
        Question::Append { .. } => match fault {
            Some(fault) => Answer::Appended(Err(fault)),
            None => {
                let (validity, uid) = text.split_once(' ').ok_or("validity and UID expected")?;
                Answer::Appended(Ok((validity_of(validity)?, parse_uids(uid)?)))
            }
        },
        Question::Fetch { .. } => match fault {
            Some(fault) => Answer::Fetched(Err(fault)),
            None => Answer::Fetched(Ok(fetched_piece(text)?)),
        },
        Question::Store { .. } => match fault {
            Some(fault) => Answer::Stored(Err(fault)),
            None => Answer::Stored(Ok(stored(text)?)),
        },
        Question::Copy { .. } | Question::Move { .. } => match fault {
            Some(fault) => Answer::Copied(Err(fault)),
            None => Answer::Copied(Ok(copied(text)?)),
        },
        Question::Search { .. } | Question::Sort { .. } => Answer::Found(read(fault, || found(text))?),
        Question::Thread { .. } => Answer::Threads(read(fault, || threads(text))?),
        Question::Poll => unreachable!("read above"),
    })
}

/// The fault, or what else was read.
fn read<T>(fault: Option<Fault>, value: impl FnOnce() -> Read<T>) -> Read<Result<T, Fault>> {
    fault.map_or_else(|| value().map(Ok), |fault| Ok(Err(fault)))
}

/// `none`, or `1:3,7`.
fn ranges(text: &str) -> Read<Vec<(Uid, Uid)>> {
    let range = |range: &str| {
        let (a, b) = range.split_once(':').unwrap_or((range, range));
        Ok((uid_of(a)?, uid_of(b)?))
    };
    text.split(',').filter(|range| *range != "none").map(range).collect()
}

/// `none`, or UIDs in their order; with `modseqs=5,6` after them.
fn found(text: &str) -> Read<Found> {
    let (uids, modseqs) = text.split_once(" modseqs=").unwrap_or((text, ""));
    let modseqs = modseqs.split(',').filter(|number| !number.is_empty());
    Ok(Found {
        uids: if uids == "none" { Vec::new() } else { parse_uids(uids)? },
        modseqs: modseqs.map(|text| number(text).map(ModSeq)).collect::<Read<_>>()?,
    })
}

/// In preorder: depth and UID, `-` for a message that is not there: `0:3 1:6 0:- 1:9`.
fn threads(text: &str) -> Read<Vec<(u32, Option<Uid>)>> {
    let node = |node: &str| {
        let (depth, uid) = node.split_once(':').ok_or("depth and UID expected")?;
        let uid = if uid == "-" { None } else { Some(uid_of(uid)?) };
        Ok((number(depth)?, uid))
    };
    text.split(' ').filter(|node| *node != "none").map(node).collect()
}

/// Lines of messages; `gone=2`, `left=3:5` and `unreadable` are lines of their own.
fn fetched_piece(text: &str) -> Read<FetchedPiece> {
    let mut piece = FetchedPiece::default();
    for line in text.lines().filter(|line| *line != "none") {
        if let Some(gone) = line.strip_prefix("gone=") {
            piece.gone = number(gone)?;
        } else if let Some(left) = line.strip_prefix("left=") {
            piece.left = parse_uids(left)?;
        } else if line == "unreadable" {
            piece.unreadable = true;
        } else {
            piece.messages.push(fetched(line)?);
        }
    }
    Ok(piece)
}

/// Lines of messages; `gone=2` and `modified=3,5` are lines of their own.
fn stored(text: &str) -> Read<Stored> {
    let mut stored = Stored::default();
    for line in text.lines().filter(|line| *line != "none") {
        if let Some(gone) = line.strip_prefix("gone=") {
            stored.gone = number(gone)?;
        } else if let Some(modified) = line.strip_prefix("modified=") {
            stored.modified = parse_uids(modified)?;
        } else {
            stored.now.push(flags_now(line)?);
        }
    }
    Ok(stored)
}

fn quota(text: &str) -> Read<QuotaData> {
    let mut data = QuotaData {
        octets: 0,
        limit_octets: 0,
        messages: 0,
    };
    for (name, value) in words(text)? {
        match name.as_str() {
            "octets" => data.octets = number(&value)?,
            "limit" => data.limit_octets = number(&value)?,
            "messages" => data.messages = number(&value)?,
            _ => return Err(format!("no quota item: {name}")),
        }
    }
    Ok(data)
}

/// `NAME messages=3 …`
fn named_status(line: &str) -> Read<(String, StatusData)> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok((name.to_owned(), status(rest)?))
}

/// `nothing`, or `appended=… not-recent=… expunged=… present=… flags=UID:FLAGS[@MODSEQ] … modseq=… bye=…`; of other mailboxes
/// `status="NAME messages=3 …"`, `status-flags=…` and `mailbox="exists,… NAME"`, `mailbox-was="OLD exists,… NAME"`.
pub(super) fn news(text: &str) -> Read<News> {
    let mut news = News::default();
    for (name, value) in words(text)? {
        match name.as_str() {
            "nothing" => {}
            "appended" => news.appended = parse_uids(&value)?,
            "not-recent" => news.not_recent = parse_uids(&value)?,
            "expunged" => news.expunged = parse_uids(&value)?,
            "present" => news.present = Some(parse_uids(&value)?.into()),
            "modseq" => news.highest_modseq = Some(ModSeq(number(&value)?)),
            "status" | "status-flags" => {
                let (mailbox, data) = named_status(value.trim_matches('"'))?;
                news.others.push(OtherNews::Status {
                    name: mailbox,
                    data,
                    flags_only: name == "status-flags",
                });
            }
            "mailbox" => news.others.push(OtherNews::Mailbox {
                entry: mailbox(value.trim_matches('"')),
                old_name: None,
                has_children: value.contains("children"),
            }),
            "mailbox-was" => {
                let (old, entry) = value.trim_matches('"').split_once(' ').ok_or("old name expected")?;
                news.others.push(OtherNews::Mailbox {
                    entry: mailbox(entry),
                    old_name: Some(old.to_owned()),
                    has_children: entry.contains("children"),
                });
            }
            "flags" => news.flags.push(flags_now(&value.replacen(':', " ", 1))?),
            "bye" => news.bye = Some("Goodbye from outside"),
            _ => return Err(format!("no news: {name}")),
        }
    }
    // They reach at least as far as what they bring.
    let brought = news.flags.iter().map(|now| now.modseq).max();
    news.highest_modseq = news.highest_modseq.or(brought);
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
        "bad-url" => Fault::BadUrl,
        "use-attr" => Fault::UseAttr,
        "unknown-cte" => Fault::UnknownCte,
        "corruption" => Fault::Corruption,
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
        id: words.contains(&"exists").then(|| MailboxId::from_bytes([1; 16])),
    }
}

fn status(text: &str) -> Read<StatusData> {
    let mut data = StatusData {
        id: MailboxId::from_bytes([2; 16]),
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
            "deleted" => data.deleted = number(&value)?,
            "size" => data.size_octets = number(&value)?,
            "modseq" => data.highest_modseq = ModSeq(number(&value)?),
            "selected" => data.id = MailboxId::from_bytes([1; 16]),
            _ => return Err(format!("no status item: {name}")),
        }
    }
    Ok(data)
}

fn selected(text: &str) -> Read<Selected> {
    let mut selected = Selected {
        id: MailboxId::from_bytes([1; 16]),
        read_only: false,
        uid_validity: UidValidity::MIN,
        uid_next: Uid::MIN,
        highest_modseq: ModSeq(1),
        uids: [].into(),
        recent_from: None,
        first_unseen: None,
        keywords: Vec::new(),
    };
    for (name, value) in words(text)? {
        match name.as_str() {
            "uids" => selected.uids = parse_uids(&value)?.into(),
            "modseq" => selected.highest_modseq = ModSeq(number(&value)?),
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

/// `UID FLAGS@MODSEQ`
fn flags_now(text: &str) -> Read<FlagsNow> {
    let (text, modseq) = text.split_once('@').unwrap_or((text, "1"));
    let (uid, flags) = text.split_once(' ').unwrap_or((text, ""));
    Ok(FlagsNow {
        uid: uid_of(uid)?,
        flags: parse_flags(flags),
        modseq: ModSeq(number(modseq)?),
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

/// `UID flags=… modseq=… date=… size=… saved=… preview="…" changed summary s="…" s=NIL s=blob`, or of binary sections
/// `s=decoded:"…"`, `s=size:5`, `s=unknown`; with `blob` a stored piece of 512 octets.
fn fetched(line: &str) -> Read<Fetched> {
    let (uid, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut fetched = Fetched {
        uid: uid_of(uid)?,
        flags: None,
        modseq: ModSeq(1),
        flags_changed: false,
        internal_date: InternalDate::utc(0),
        size_octets: 0,
        email_id: EmailId::from_bytes([0; 16]),
        thread_id: ThreadId::from_bytes([0; 16]),
        summary: None,
        sections: Vec::new(),
        save_date: None,
        preview: None,
    };
    for (name, value) in words(rest)? {
        match name.as_str() {
            "flags" => fetched.flags = Some(parse_flags(&value)),
            "date" => fetched.internal_date = date(&value)?,
            "modseq" => fetched.modseq = ModSeq(number(&value)?),
            "saved" => fetched.save_date = Some(number(&value)?),
            "preview" => fetched.preview = Some(value.trim_matches('"').to_owned()),
            "size" => fetched.size_octets = number(&value)?,
            "changed" => fetched.flags_changed = true,
            "summary" => fetched.summary = Some(Arc::new(the_summary_of_the_rfc())),
            "s" => fetched.sections.push(section(&value)?),
            _ => return Err(format!("no fetch item: {name}")),
        }
    }
    Ok(fetched)
}

/// Seconds since 1970 UTC, and a zone if it is not UTC: `760168345-0800`.
fn date(value: &str) -> Read<InternalDate> {
    let sign = value.rfind(['+', '-']).filter(|at| *at > 0);
    let Some(sign) = sign else {
        return Ok(InternalDate::utc(number(value)?));
    };
    let (seconds, zone) = value.split_at(sign);
    let zone: i32 = number(zone)?;
    Ok(InternalDate::new(number(seconds)?, zone / 100 * 60 + zone % 100))
}

fn section(value: &str) -> Read<SectionData> {
    Ok(match value {
        "NIL" => SectionData::Nothing,
        "unknown" => SectionData::UnknownEncoding,
        "unreadable" => SectionData::Unreadable,
        "blob" => {
            let span = BlobSpan {
                id: BlobId(7_u128.to_be_bytes()),
                offset: 0,
                octets: 512,
            };
            SectionData::Octets(vec![
                Piece::Inline(b"Received: x\r\n".as_slice().into()),
                Piece::Stored(span),
            ])
        }
        _ => match value.split_once(':') {
            Some(("decoded", quoted)) => SectionData::Decoded(unescape(quoted)?.into()),
            Some(("size", octets)) => SectionData::Size(number(octets)?),
            _ => SectionData::Octets(vec![Piece::Inline(unescape(value)?.into())]),
        },
    })
}

/// The message in the example of RFC 3501 §8.
fn the_summary_of_the_rfc() -> Summary {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let entry = |name: Option<&str>, mailbox, host| AddressEntry {
        name: name.and_then(bytes),
        route: None,
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
    let root = Part {
        media_type: b"TEXT".to_vec(),
        subtype: b"PLAIN".to_vec(),
        params: vec![(b"CHARSET".to_vec(), b"US-ASCII".to_vec())],
        end_offset: 3028,
        lines: 92,
        ..Part::default()
    };
    Summary {
        envelope,
        root,
        ..Summary::default()
    }
}
