//! Whole conversations against an outside that answers everything: any split of the input gives the same output, and
//! no input is too bad.

use bytes::Bytes;
use postroom_imap_proto::{
    Answer, Copied, Fetched, FetchedPiece, FlagsNow, Found, MailboxEntry, News, Options, Question, QuotaData,
    SectionData, Selected, Server, StatusData, Stored,
};
use postroom_testkit::{Side, peer_bytes};
use postroom_types::{EmailId, InternalDate, MailboxId, MessageFlags, ModSeq, Piece, ThreadId, Uid, UidValidity};
use postroom_wire::{Action, Input, Machine};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn counts() -> StatusData {
    StatusData {
        id: MailboxId::from_bytes([1; 16]),
        messages: 3,
        recent: 0,
        uid_next: uid(9),
        uid_validity: UidValidity::MIN,
        unseen: 1,
        deleted: 0,
        size_octets: 100,
        highest_modseq: ModSeq(1),
    }
}

/// Says yes to everything.
fn answer(question: Question) -> Answer {
    match question {
        Question::Login(_) => Answer::Login(Ok(Some([7; 32]))),
        Question::Mailboxes => Answer::Mailboxes(Ok(["INBOX", "Work/2026", "Entwürfe"]
            .map(|name| MailboxEntry {
                name: name.to_owned(),
                exists: true,
                subscribed: true,
                special_use: None,
                marked: None,
                id: Some(MailboxId::from_bytes([1; 16])),
            })
            .to_vec())),
        Question::Status(_) => Answer::Status(Ok(counts())),
        Question::Statuses(names) => Answer::Statuses(Ok(vec![Some(counts()); names.len()])),
        Question::Watch(_) => Answer::Watching(Ok(vec![("Work/2026".to_owned(), counts())])),
        Question::DeletedOctets(_) => Answer::DeletedOctets(Ok(2_048)),
        Question::Quota => Answer::Quota(Ok(QuotaData {
            octets: 10,
            limit_octets: 1_000,
            messages: 3,
        })),
        Question::Vanished { among, .. } => Answer::Vanished(Ok(among)),
        Question::Create { .. } => Answer::Created(Ok(MailboxId::from_bytes([1; 16]))),
        Question::Select { .. } => Answer::Selected(Ok(Selected {
            id: MailboxId::from_bytes([1; 16]),
            read_only: false,
            uid_validity: UidValidity::MIN,
            uid_next: uid(9),
            highest_modseq: ModSeq(1),
            uids: [uid(2), uid(4), uid(8)].into(),
            recent_from: Some(uid(8)),
            first_unseen: Some(uid(4)),
            keywords: Vec::new(),
        })),
        Question::Delete(_) => Answer::Deleted(Ok(MailboxId::from_bytes([1; 16]))),
        Question::Unselect
        | Question::Rename { .. }
        | Question::Subscribe { .. }
        | Question::AppendStart { .. }
        | Question::AppendMore { .. }
        | Question::AppendUrl(_)
        | Question::Expunge(_) => Answer::Done(Ok(())),
        Question::Append { messages, .. } => Answer::Appended(Ok((UidValidity::MIN, vec![uid(9); messages.len()]))),
        Question::Fetch { uids, items, .. } => Answer::Fetched(Ok(FetchedPiece {
            messages: uids
                .into_iter()
                .map(|uid| Fetched {
                    uid,
                    flags: Some(MessageFlags::default()),
                    modseq: ModSeq(1),
                    flags_changed: items.set_seen,
                    internal_date: InternalDate::utc(0),
                    size_octets: 4,
                    email_id: EmailId::from_bytes([2; 16]),
                    thread_id: ThreadId::from_bytes([3; 16]),
                    summary: None,
                    sections: vec![
                        SectionData::Octets(vec![Piece::Inline(Bytes::from_static(b"text"))]);
                        items.sections.len()
                    ],
                    save_date: None,
                    preview: None,
                })
                .collect(),
            gone: 0,
            left: Vec::new(),
            unreadable: false,
        })),
        Question::Store { uids, change, .. } => Answer::Stored(Ok(Stored {
            now: uids
                .into_iter()
                .map(|uid| FlagsNow {
                    uid,
                    flags: change.flags.clone(),
                    modseq: ModSeq(2),
                })
                .collect(),
            ..Stored::default()
        })),
        Question::Copy { uids, .. } | Question::Move { uids, .. } => Answer::Copied(Ok(Copied {
            uid_validity: UidValidity::MIN,
            pairs: uids.into_iter().map(|uid| (uid, uid)).collect(),
        })),
        Question::Search { among, .. } | Question::Sort { among, .. } => Answer::Found(Ok(Found {
            modseqs: vec![ModSeq(1); among.len()],
            uids: among,
        })),
        Question::Thread { among, .. } => Answer::Threads(Ok(among.into_iter().map(|uid| (0, Some(uid))).collect())),
        Question::Poll => Answer::News(News::default()),
    }
}

/// All that comes out: bytes sent, bodies in brackets, questions by name.
fn converse(pieces: &[&[u8]]) -> Vec<u8> {
    let now = Instant::now();
    let options = Options {
        allow_plaintext_login: true,
        append_limit_octets: 10_000,
        ..Options::default()
    };
    let mut server = Server::new(Arc::new(options), None, now);
    let mut told = Vec::new();
    let mut closed = act(&mut server, &mut told, now);
    for piece in pieces {
        if closed {
            break;
        }
        server.handle(Input::Bytes(piece), now);
        closed = act(&mut server, &mut told, now);
    }
    told
}

fn act(server: &mut Server, told: &mut Vec<u8>, now: Instant) -> bool {
    while let Some(action) = server.next_action() {
        match action {
            Action::Send(bytes) | Action::Body(bytes) => told.extend_from_slice(&bytes),
            Action::Ask(question) => server.handle(Input::Answer(answer(question)), now),
            Action::BodyEnd => told.extend_from_slice(b"<end of body>"),
            Action::SendBlob(_) => told.extend_from_slice(b"<blob>"),
            Action::Compress { .. } => return true,
            Action::StartTls => return true,
            Action::Close => return true,
        }
    }
    false
}

fn cut<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

/// What the clients of all transcripts say.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);

fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
        .iter()
        .map(|file| peer_bytes(&std::fs::read_to_string(file).unwrap(), Side::Server))
        .collect()
}

fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        "[a-z]{1,3}",
        "(LOGIN|SELECT|UID|FETCH|STORE|SEARCH|APPEND|LIST|COPY|MOVE|IDLE|DONE|AUTHENTICATE|STATUS|INBOX|FLAGS|BODY|ALL|SORT|THREAD|NOTIFY|SET|SELECTED|PERSONAL|RETURN|SAVE|MODSEQ|OR|NOT)",
        "(CONDSTORE|QRESYNC|CHANGEDSINCE|UNCHANGEDSINCE|VANISHED|MODSEQ|RETURN|SAVE|SORT|THREAD|NOTIFY|SET|BINARY|REPLACE)",
        "[0-9:*,]{1,6}",
        "\\$",
        "~?\\{[0-9]{1,3}\\+?\\}\r\n",
        "(CATENATE \\(|TEXT|URL x\\)|REPLACE 1 a|UTF8 \\(|COMPRESS|BINARY\\[1\\]|PREVIEW)",
        "\\([\\\\A-Za-z ]{0,9}\\)",
        "\"[a-z/%*]{0,5}\"",
        "\r\n",
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.join(" ").replace("\r\n ", "\r\n").into_bytes())
}

proptest! {
    #[test]
    fn any_split_of_a_transcript(which: prop::sample::Index, cuts in proptest::collection::vec(any::<usize>(), 0..12)) {
        let input = which.get(SEEDS.as_slice());
        prop_assert_eq!(converse(&cut(input, &cuts)), converse(&[input]));
    }

    #[test]
    fn any_split_of_nonsense(
        login: bool,
        nonsense in words(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut input = if login {
            b"l LOGIN a b\r\ne ENABLE QRESYNC IMAP4rev2\r\ns SELECT INBOX\r\n".to_vec()
        } else {
            Vec::new()
        };
        input.extend_from_slice(&nonsense);
        prop_assert_eq!(converse(&cut(&input, &cuts)), converse(&[&input]));
    }

    /// A transcript with bytes changed in the middle: whatever comes, it is answered or refused.
    #[test]
    fn damaged_transcripts(
        which: prop::sample::Index,
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        let mut input = which.get(SEEDS.as_slice()).clone();
        prop_assume!(!input.is_empty());
        for (at, byte) in damage {
            let at = at % input.len();
            input[at] = byte;
        }
        prop_assert_eq!(converse(&cut(&input, &cuts)), converse(&[&input]));
    }
}
