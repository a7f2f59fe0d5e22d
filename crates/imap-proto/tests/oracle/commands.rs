//! Commands that `imap-codec` writes.

use crate::outside::{Connection, EXISTS, uid};
use imap_codec::CommandCodec;
use imap_codec::encode::{Encoder, Fragment};
use imap_codec::imap_types::command::{Command, CommandBody, StoreModifier};
use imap_codec::imap_types::core::{AString, Atom, IString, Literal, LiteralMode, Quoted, Vec1};
use imap_codec::imap_types::extensions::binary::{Literal8, LiteralOrLiteral8};
use imap_codec::imap_types::fetch::{MacroOrMessageDataItemNames, MessageDataItemName as Name, Part, Section};
use imap_codec::imap_types::flag::{Flag as ImapFlag, StoreResponse, StoreType};
use imap_codec::imap_types::mailbox::Mailbox;
use imap_codec::imap_types::search::SearchKey as Key;
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};
use postroom_imap_proto::{
    Appending, ChangeMode, FetchItems, FlagChange, PIECE, Question, Section as Wanted, SectionForm, SectionText,
};
use postroom_types::{AddressField, Flag, Flags, Keyword, MessageFlags, SearchKey, Uid};
use postroom_wire::Evidence;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::num::NonZeroU32;

/// A command, and what is to be asked because of it.
type Case = (CommandBody<'static>, Vec<Question>);

/// Sends a command as a client does, waiting where it has to; gives what was asked, and the tagged response.
fn run(connection: &mut Connection, body: CommandBody<'static>) -> (String, String) {
    let command = Command::new("A1", body).unwrap();
    for fragment in CommandCodec::default().encode(&command) {
        match fragment {
            Fragment::Line { data } => connection.send(&data),
            Fragment::Literal { data, mode } => {
                if mode == LiteralMode::Sync {
                    assert!(
                        connection.said.ends_with(b"+ OK\r\n"),
                        "{}",
                        connection.said.escape_ascii()
                    );
                }
                connection.send(&data);
            }
        }
    }
    let said = String::from_utf8_lossy(&connection.said).into_owned();
    let last = said.lines().last().unwrap_or_default().to_owned();
    (format!("{:?}", connection.asked), last)
}

/// A string as an atom if it can be, in quotes if it can be, or as a literal of either kind.
fn astring(text: &str, form: u8) -> AString<'static> {
    let text = text.to_owned();
    let literal = || Literal::try_from(text.clone().into_bytes()).unwrap();
    match form % 4 {
        0 => AString::try_from(text).unwrap(),
        1 => match Quoted::try_from(text.clone()) {
            Ok(quoted) => quoted.into(),
            Err(_) => literal().into(),
        },
        2 => literal().into(),
        _ => literal().into_non_sync().into(),
    }
}

/// Names that need no encoding; `&` is written `&-` (RFC 3501 §5.1.3).
fn mailbox() -> impl Strategy<Value = (Mailbox<'static>, String)> {
    let name = prop_oneof![
        "[A-Za-z0-9 .\"\\\\(){%*\\]&'-]{1,12}(/[a-z&]{1,5})?",
        Just("INBOX".to_owned()),
        Just("Inbox".to_owned()),
    ];
    (name, any::<u8>()).prop_map(|(name, form)| {
        let wire = astring(&name.replace('&', "&-"), form);
        let first = name.split('/').next().unwrap_or_default();
        let name = if first.eq_ignore_ascii_case("INBOX") {
            format!("INBOX{}", &name[5..])
        } else {
            name
        };
        (Mailbox::from(wire), name)
    })
}

fn flags() -> impl Strategy<Value = (Vec<ImapFlag<'static>>, MessageFlags)> {
    let system = subsequence(
        vec![
            (ImapFlag::Answered, Flag::Answered),
            (ImapFlag::Flagged, Flag::Flagged),
            (ImapFlag::Deleted, Flag::Deleted),
            (ImapFlag::Seen, Flag::Seen),
            (ImapFlag::Draft, Flag::Draft),
        ],
        0..=5,
    );
    let keywords = subsequence(vec!["$Junk", "work", "a+b", "$MDNSent", "x:y"], 0..=5);
    (system, keywords).prop_map(|(system, keywords)| {
        let ours = MessageFlags {
            system: system.iter().map(|(_, flag)| *flag).collect::<Flags>(),
            keywords: keywords.iter().filter_map(|word| Keyword::new(word)).collect(),
        };
        let system = system.into_iter().map(|(flag, _)| flag);
        let theirs = system.chain(
            keywords
                .iter()
                .map(|word| ImapFlag::keyword(Atom::try_from(*word).unwrap())),
        );
        (theirs.collect(), ours)
    })
}

/// A set, and which of these numbers it names; `*` is the last.
fn set(by_uid: bool) -> impl Strategy<Value = (SequenceSet, Vec<Uid>)> {
    let last = if by_uid { EXISTS * 2 } else { EXISTS };
    let point = prop_oneof![9 => (1..=last).prop_map(Some), 1 => Just(None)];
    vec((point.clone(), proptest::option::of(point)), 1..5).prop_map(move |ranges| {
        let value = |point: Option<u32>| match point {
            Some(number) => SeqOrUid::Value(NonZeroU32::new(number).unwrap()),
            None => SeqOrUid::Asterisk,
        };
        let sequences: Vec<Sequence> = ranges
            .iter()
            .map(|(from, to)| match to {
                Some(to) => Sequence::Range(value(*from), value(*to)),
                None => Sequence::Single(value(*from)),
            })
            .collect();
        let named = |number: u32| {
            ranges.iter().any(|(from, to)| {
                let from = from.unwrap_or(last);
                let to = to.map_or(from, |to| to.unwrap_or(last));
                (from.min(to)..=from.max(to)).contains(&number)
            })
        };
        let uids = (1..=EXISTS).filter(|seq| named(if by_uid { seq * 2 } else { *seq }));
        (
            SequenceSet::try_from(sequences).unwrap(),
            uids.map(|seq| uid(seq * 2)).collect(),
        )
    })
}

/// One FETCH item, and what it adds to what is wanted.
fn item() -> impl Strategy<Value = (Name<'static>, FetchItems)> {
    let simple = select(vec![
        (
            Name::Flags,
            FetchItems {
                flags: true,
                ..FetchItems::default()
            },
        ),
        (
            Name::InternalDate,
            FetchItems {
                internal_date: true,
                ..FetchItems::default()
            },
        ),
        (
            Name::Rfc822Size,
            FetchItems {
                size: true,
                ..FetchItems::default()
            },
        ),
        (
            Name::Envelope,
            FetchItems {
                summary: true,
                ..FetchItems::default()
            },
        ),
        (
            Name::Body,
            FetchItems {
                summary: true,
                ..FetchItems::default()
            },
        ),
        (
            Name::BodyStructure,
            FetchItems {
                summary: true,
                ..FetchItems::default()
            },
        ),
        (Name::Uid, FetchItems::default()),
        (Name::ModSeq, FetchItems::default()),
    ]);
    let whole = select(vec![
        (Name::Rfc822, SectionText::All, true),
        (Name::Rfc822Header, SectionText::Header, false),
        (Name::Rfc822Text, SectionText::Text, true),
    ]);
    let whole = whole.prop_map(|(name, text, seen)| (name, one_section(Vec::new(), text, None, seen)));
    prop_oneof![2 => simple, 1 => whole, 2 => body_section(), 1 => binary()]
}

fn one_section(part: Vec<u32>, text: SectionText, partial: Option<(u64, u64)>, seen: bool) -> FetchItems {
    FetchItems {
        sections: vec![Wanted {
            part,
            text,
            form: SectionForm::Body,
            partial,
        }],
        set_seen: seen,
        ..FetchItems::default()
    }
}

fn partial() -> impl Strategy<Value = Option<(u32, NonZeroU32)>> {
    proptest::option::of((
        any::<u32>(),
        (1..=u32::MAX).prop_map(|count| NonZeroU32::new(count).unwrap()),
    ))
}

fn wide(partial: Option<(u32, NonZeroU32)>) -> Option<(u64, u64)> {
    partial.map(|(origin, count)| (origin.into(), count.get().into()))
}

fn body_section() -> impl Strategy<Value = (Name<'static>, FetchItems)> {
    let names = vec("[A-Za-z-]{1,8}", 1..4);
    (vec(1..9_u32, 0..3), 0..6, names, partial(), any::<bool>(), any::<u8>()).prop_map(
        |(part, kind, names, partial, peek, form)| {
            let numbers: Vec<_> = part.iter().map(|number| NonZeroU32::new(*number).unwrap()).collect();
            let theirs = (!numbers.is_empty()).then(|| Part(Vec1::try_from(numbers).unwrap()));
            let fields = || Vec1::try_from(names.iter().map(|name| astring(name, form)).collect::<Vec<_>>()).unwrap();
            let (section, text) = match (kind, theirs) {
                (0, Some(part)) => (Some(Section::Mime(part)), SectionText::Mime),
                (1, part) => (Some(Section::Header(part)), SectionText::Header),
                (2, part) => (Some(Section::Text(part)), SectionText::Text),
                (3, part) => {
                    let section = Section::HeaderFields(part, fields());
                    (Some(section), SectionText::HeaderFields { names, not: false })
                }
                (4, part) => {
                    let section = Section::HeaderFieldsNot(part, fields());
                    (Some(section), SectionText::HeaderFields { names, not: true })
                }
                (_, part) => (part.map(Section::Part), SectionText::All),
            };
            let name = Name::BodyExt { section, partial, peek };
            (name, one_section(part, text, wide(partial), !peek))
        },
    )
}

fn binary() -> impl Strategy<Value = (Name<'static>, FetchItems)> {
    (vec(1..9_u32, 0..3), partial(), any::<bool>(), any::<bool>()).prop_map(|(part, partial, peek, size)| {
        let section: Vec<_> = part.iter().map(|number| NonZeroU32::new(*number).unwrap()).collect();
        if size {
            let mut items = one_section(part, SectionText::All, None, false);
            items.sections[0].form = SectionForm::BinarySize;
            return (Name::BinarySize { section }, items);
        }
        let mut items = one_section(part, SectionText::All, wide(partial), !peek);
        items.sections[0].form = SectionForm::Binary;
        (Name::Binary { section, partial, peek }, items)
    })
}

fn fetch() -> impl Strategy<Value = Case> {
    let by = any::<bool>().prop_flat_map(|uid| (Just(uid), set(uid)));
    (by, vec(item(), 1..6)).prop_map(|((uid, (sequence_set, uids)), items)| {
        let mut wanted = FetchItems::default();
        let mut names = Vec::new();
        for (name, adds) in items {
            names.push(name);
            wanted.flags |= adds.flags;
            wanted.internal_date |= adds.internal_date;
            wanted.size |= adds.size;
            wanted.summary |= adds.summary;
            wanted.set_seen |= adds.set_seen;
            wanted.sections.extend(adds.sections);
        }
        // What \Seen does is told.
        wanted.flags |= wanted.set_seen;
        let question = |uids: &[Uid]| Question::Fetch {
            uids: uids.to_vec(),
            items: wanted.clone(),
            changed_since: None,
        };
        let body = CommandBody::Fetch {
            sequence_set,
            macro_or_item_names: MacroOrMessageDataItemNames::MessageDataItemNames(names),
            uid,
            modifiers: Vec::new(),
        };
        (body, uids.chunks(PIECE).map(question).collect())
    })
}

fn store() -> impl Strategy<Value = Case> {
    let by = any::<bool>().prop_flat_map(|uid| (Just(uid), set(uid)));
    let kind = select(vec![
        (StoreType::Add, ChangeMode::Add),
        (StoreType::Remove, ChangeMode::Remove),
        (StoreType::Replace, ChangeMode::Replace),
    ]);
    let since = proptest::option::of(1..1_000_u64);
    (by, kind, flags(), any::<bool>(), since).prop_map(|((uid, (sequence_set, uids)), kind, flags, silent, since)| {
        let body = CommandBody::Store {
            sequence_set,
            kind: kind.0,
            response: if silent {
                StoreResponse::Silent
            } else {
                StoreResponse::Answer
            },
            flags: flags.0,
            uid,
            modifiers: since.map(StoreModifier::UnchangedSince).into_iter().collect(),
        };
        let question = Question::Store {
            uids: uids.clone(),
            change: FlagChange {
                mode: kind.1,
                flags: flags.1,
            },
            unchanged_since: since.map(postroom_types::ModSeq),
        };
        (body, if uids.is_empty() { Vec::new() } else { vec![question] })
    })
}

fn copies() -> impl Strategy<Value = Case> {
    let by = any::<bool>().prop_flat_map(|uid| (Just(uid), set(uid)));
    (by, mailbox(), any::<bool>()).prop_map(|((uid, (sequence_set, uids)), (mailbox, to), moves)| {
        let some = !uids.is_empty();
        let (body, question) = if moves {
            let body = CommandBody::Move {
                sequence_set,
                mailbox,
                uid,
            };
            (body, Question::Move { uids, to })
        } else {
            let body = CommandBody::Copy {
                sequence_set,
                mailbox,
                uid,
            };
            (body, Question::Copy { uids, to })
        };
        (body, if some { vec![question] } else { Vec::new() })
    })
}

fn mailboxes() -> impl Strategy<Value = Case> {
    (mailbox(), mailbox(), 0..6_u8).prop_map(|((mailbox, name), (to, target), kind)| {
        // INBOX is there always, and stays.
        let kind = if [&name, &target].into_iter().any(|name| name == "INBOX") {
            kind.max(3)
        } else {
            kind
        };
        let subscribe = |subscribed| Question::Subscribe {
            name: name.clone(),
            subscribed,
        };
        match kind {
            0 => (
                CommandBody::Create { mailbox },
                vec![Question::Create {
                    name,
                    special_use: None,
                }],
            ),
            1 => (CommandBody::Delete { mailbox }, vec![Question::Delete(name)]),
            2 => (
                CommandBody::Rename { from: mailbox, to },
                vec![Question::Rename { from: name, to: target }],
            ),
            3 => (CommandBody::Subscribe { mailbox }, vec![subscribe(true)]),
            4 => (CommandBody::Unsubscribe { mailbox }, vec![subscribe(false)]),
            _ => (
                CommandBody::Select {
                    mailbox,
                    parameters: Vec::new(),
                },
                vec![Question::Unselect, Question::Select { name, read_only: false }],
            ),
        }
    })
}

fn append() -> impl Strategy<Value = (Case, Vec<u8>)> {
    let message = prop_oneof![
        vec(1_u8.., 1..60).prop_map(|text| (text, false)),
        vec(any::<u8>(), 1..60).prop_map(|text| (text, true))
    ];
    (mailbox(), flags(), message, any::<bool>()).prop_map(|((mailbox, name), flags, (text, binary), waits)| {
        let mode = if waits { LiteralMode::Sync } else { LiteralMode::NonSync };
        let message = if binary {
            LiteralOrLiteral8::Literal8(Literal8 {
                data: text.clone().into(),
                mode,
            })
        } else {
            let mut literal = Literal::try_from(text.clone()).unwrap();
            literal.set_mode(mode);
            LiteralOrLiteral8::Literal(literal)
        };
        let octets = text.len() as u64;
        let body = CommandBody::Append {
            mailbox,
            flags: flags.0,
            date: None,
            message,
        };
        let questions = vec![
            Question::AppendStart {
                name: name.clone(),
                octets,
            },
            Question::Append {
                name,
                messages: vec![Appending {
                    flags: flags.1,
                    internal_date: None,
                    binary,
                }],
                replaces: None,
            },
        ];
        ((body, questions), text)
    })
}

/// A search key without dates, in their words and in ours.
fn key() -> impl Strategy<Value = (Key<'static>, SearchKey)> {
    let has = |flag: Flag| SearchKey::Has([flag].into_iter().collect());
    let not = |key: SearchKey| SearchKey::Not(Box::new(key));
    let simple = select(vec![
        (Key::All, SearchKey::All),
        (Key::Answered, has(Flag::Answered)),
        (Key::Deleted, has(Flag::Deleted)),
        (Key::Draft, has(Flag::Draft)),
        (Key::Flagged, has(Flag::Flagged)),
        (Key::Seen, has(Flag::Seen)),
        (Key::Unanswered, not(has(Flag::Answered))),
        (Key::Undeleted, not(has(Flag::Deleted))),
        (Key::Undraft, not(has(Flag::Draft))),
        (Key::Unflagged, not(has(Flag::Flagged))),
        (Key::Unseen, not(has(Flag::Seen))),
    ]);
    let text = ("[ -~]{0,9}", any::<u8>(), 0..8).prop_map(|(text, form, kind)| {
        let theirs = astring(&text, form);
        let address = |field| SearchKey::Address {
            field,
            text: text.clone(),
        };
        match kind {
            0 => (Key::Bcc(theirs), address(AddressField::Bcc)),
            1 => (Key::Cc(theirs), address(AddressField::Cc)),
            2 => (Key::From(theirs), address(AddressField::From)),
            3 => (Key::To(theirs), address(AddressField::To)),
            4 => (Key::Subject(theirs), SearchKey::Subject(text)),
            5 => (Key::Body(theirs), SearchKey::Body(text)),
            6 => (Key::Text(theirs), SearchKey::Text(text)),
            _ => (
                Key::Header(astring("X-Loop", form >> 4), theirs),
                SearchKey::Header {
                    name: "X-Loop".to_owned(),
                    text,
                },
            ),
        }
    });
    let number = (any::<u32>(), any::<bool>()).prop_map(|(number, larger)| {
        if larger {
            (Key::Larger(number), SearchKey::Larger(number.into()))
        } else {
            (Key::Smaller(number), SearchKey::Smaller(number.into()))
        }
    });
    let keyword = Keyword::new("work").unwrap();
    let keywords = select(vec![
        (
            Key::Keyword(Atom::try_from("work").unwrap()),
            SearchKey::Keyword(keyword.clone()),
        ),
        (
            Key::Unkeyword(Atom::try_from("work").unwrap()),
            not(SearchKey::Keyword(keyword)),
        ),
    ]);
    let leaf = prop_oneof![2 => simple, 3 => text, 1 => number, 1 => keywords];
    leaf.prop_recursive(4, 12, 2, move |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|(theirs, ours)| (Key::Not(Box::new(theirs)), SearchKey::Not(Box::new(ours)))),
            (inner.clone(), inner).prop_map(|(a, b)| (
                Key::Or(Box::new(a.0), Box::new(b.0)),
                SearchKey::Or(Box::new((a.1, b.1)))
            )),
        ]
    })
}

fn check((body, questions): Case) -> Result<Connection, TestCaseError> {
    let mut connection = Connection::selected();
    let (asked, last) = run(&mut connection, body);
    prop_assert_eq!(asked, format!("{:?}", questions), "{}", last);
    prop_assert!(last.starts_with("A1 OK"), "{}", last);
    Ok(connection)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn fetches(case in fetch()) {
        check(case)?;
    }

    #[test]
    fn stores(case in store()) {
        check(case)?;
    }

    #[test]
    fn copies_and_moves(case in copies()) {
        check(case)?;
    }

    #[test]
    fn names_of_mailboxes(case in mailboxes()) {
        check(case)?;
    }

    #[test]
    fn appends((case, text) in append()) {
        let connection = check(case)?;
        prop_assert_eq!(connection.bodies, [text.as_slice(), b"<end>"].concat());
    }

    #[test]
    fn searches((theirs, ours) in key(), uid: bool) {
        let mut connection = Connection::selected();
        let criteria = Vec1::from(theirs);
        let (_, last) = run(&mut connection, CommandBody::Search { charset: None, criteria, uid });
        prop_assert!(last.starts_with("A1 OK"), "{}", last);
        let [Question::Search { program, among }] = connection.asked.as_slice() else {
            return Err(TestCaseError::fail(format!("{:?}", connection.asked)));
        };
        prop_assert_eq!(among.len(), EXISTS as usize);
        prop_assert_eq!(meaning(program), meaning(&ours));
    }

    #[test]
    fn logins(user in "[ -~]{1,20}", password in "[ -~]{1,20}", forms: (u8, u8)) {
        let mut connection = Connection::fresh();
        let body = CommandBody::Login {
            username: astring(&user, forms.0),
            password: astring(&password, forms.1).into(),
        };
        let (_, last) = run(&mut connection, body);
        prop_assert!(last.starts_with("A1 OK"), "{}", last);
        let [Question::Login(credentials)] = connection.asked.as_slice() else {
            return Err(TestCaseError::fail("no login"));
        };
        prop_assert_eq!(&credentials.user, &user);
        let Evidence::Password(given) = &credentials.evidence else {
            return Err(TestCaseError::fail("no password"));
        };
        prop_assert_eq!(given.expose(), &password);
    }

    /// ID (RFC 2971): nothing is asked, and the answer is the same whatever the client says of itself.
    #[test]
    fn ids(fields in vec(("[ -~]{1,9}", proptest::option::of("[ -~]{0,9}")), 0..5)) {
        let mut connection = Connection::selected();
        let parameters = fields.into_iter().map(|(name, value)| {
            let value = value.map(|value| IString::try_from(value).unwrap());
            (IString::try_from(name).unwrap(), imap_codec::imap_types::core::NString(value))
        });
        let (asked, last) = run(&mut connection, CommandBody::Id { parameters: Some(parameters.collect()) });
        prop_assert_eq!(asked, "[]");
        prop_assert!(last.starts_with("A1 OK"), "{}", last);
    }
}

/// A program in a form in which ORs of ORs and ANDs of ANDs are flat, and double negations are none.
fn meaning(key: &SearchKey) -> String {
    fn flatten<'a>(key: &'a SearchKey, into: &mut Vec<&'a SearchKey>) {
        match key {
            SearchKey::Or(both) => {
                flatten(&both.0, into);
                flatten(&both.1, into);
            }
            other => into.push(other),
        }
    }
    match key {
        SearchKey::Or(_) => {
            let mut all = Vec::new();
            flatten(key, &mut all);
            format!("any of {:?}", all.into_iter().map(meaning).collect::<Vec<_>>())
        }
        SearchKey::Not(inner) => match &**inner {
            SearchKey::Not(twice) => meaning(twice),
            other => format!("not {}", meaning(other)),
        },
        SearchKey::And(keys) => format!("all of {:?}", keys.iter().map(meaning).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}
