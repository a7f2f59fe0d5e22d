//! Every row reads as it was written, and reading is total.

use super::*;
use crate::{Cause, FeedEvent, Marked, Origin};
use postroom_types::{
    BlobId, EmailId, Flags, InternalDate, Keyword, MailboxId, MessageFlags, ModSeq, SpecialUse, Summary, ThreadId, Uid,
    UidValidity,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn email_id() -> impl Strategy<Value = EmailId> {
    any::<[u8; 16]>().prop_map(EmailId::from_bytes)
}

fn mailbox_id() -> impl Strategy<Value = MailboxId> {
    any::<[u8; 16]>().prop_map(MailboxId::from_bytes)
}

fn uids() -> impl Strategy<Value = Vec<Uid>> {
    let uid = prop_oneof![1..60u32, any::<u32>()];
    btree_set(uid.prop_filter_map("zero", Uid::new), 0..40).prop_map(|set| set.into_iter().collect())
}

fn message_flags() -> impl Strategy<Value = MessageFlags> {
    (any::<u8>(), vec("[a-zA-Z$]{1,9}", 0..5)).prop_map(|(bits, keywords)| MessageFlags {
        system: Flags::from_bits(bits),
        keywords: keywords.iter().filter_map(|text| Keyword::new(text)).collect(),
    })
}

fn event() -> impl Strategy<Value = FeedEvent> {
    let cause = prop_oneof![
        Just(Cause::Placed),
        Just(Cause::New(Origin::Sent)),
        Just(Cause::New(Origin::Imported))
    ];
    let last = (1..u32::MAX).prop_filter_map("zero", Uid::new);
    prop_oneof![
        (mailbox_id(), last, cause, proptest::option::of(email_id())).prop_map(|(mailbox, last, cause, email_id)| {
            FeedEvent::Appended {
                mailbox,
                last,
                count: last.get().min(7),
                cause,
                email_id,
            }
        }),
        (mailbox_id(), uids()).prop_map(|(mailbox, uids)| FeedEvent::Flags { mailbox, uids }),
        (mailbox_id(), uids(), vec(email_id(), 0..9)).prop_map(|(mailbox, uids, gone)| FeedEvent::Expunged {
            mailbox,
            uids,
            gone
        }),
        vec(("[a-z]{1,9}", any::<bool>(), vec(email_id(), 0..9)), 0..4).prop_map(|marks| {
            let mark = |(label, added, messages)| Marked { label, added, messages };
            FeedEvent::Labels(marks.into_iter().map(mark).collect())
        }),
        mailbox_id().prop_map(FeedEvent::MailboxCreated),
        mailbox_id().prop_map(FeedEvent::MailboxDeleted),
        mailbox_id().prop_map(FeedEvent::MailboxRenamed),
    ]
}

fn message_row() -> impl Strategy<Value = MessageRow> {
    let id = any::<[u8; 16]>();
    let blobs = (
        id.prop_map(BlobId),
        any::<u64>(),
        any::<[u8; 32]>(),
        proptest::option::of(id.prop_map(BlobId)),
    );
    let texts = (vec(any::<u8>(), 0..512), vec(any::<u8>(), 0..1000));
    (
        vec((mailbox_id(), any::<u64>()), 0..30),
        blobs,
        mailbox_id(),
        id,
        any::<i64>(),
        texts,
    )
        .prop_map(
            |(placements, (blob, body_octets, body_hash, summary_blob), home, id, received_at, (verdict, prefix))| {
                MessageRow {
                    placements,
                    blob,
                    body_octets,
                    body_hash,
                    summary_blob,
                    origin: Origin::Draft,
                    home,
                    thread_id: ThreadId::from_bytes(id),
                    received_at,
                    message_id: Some(id),
                    verdict,
                    prefix,
                    text: match body_octets % 4 {
                        0 => TextPlace::Nowhere,
                        1 => TextPlace::Content { body: false },
                        2 => TextPlace::Content { body: true },
                        _ => TextPlace::Blob(blob, body_octets),
                    },
                    is_named: received_at % 2 == 0,
                    hashed_from: body_octets / 3,
                    other_home: (received_at % 3 == 0).then_some(home),
                }
            },
        )
}

fn summary_of(content: &[u8]) -> Summary {
    postroom_message::summarize(content)
}

const NESTED: &[u8] = b"From: a@b, G: c@d;\r\nTo: <e@f>\r\nSubject: =?utf-8?q?=C3=A9?=\r\nMessage-ID: <x@y>\r\nReferences: <z@y>\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Language: de, en\r\nContent-Disposition: inline; filename=x\r\n\r\nhello\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n\
    Subject: inner\r\n\r\ninside\r\n--o--\r\n";

#[test]
fn summaries_round_trip() {
    for content in [NESTED, b"", b"no header at all", b"Subject: x\r\n\r\nx"] {
        let summary = summary_of(content);
        let bytes = summary::write_summary(&summary);
        assert_eq!(read_envelope_of(&bytes).as_ref(), Ok(&summary.envelope));
        assert_eq!(read_root_of(&bytes).as_ref(), Ok(&summary.root));
        assert_eq!(read_summary(&bytes), Ok(summary));
    }
}

#[test]
fn rows_of_the_first_version_read() {
    let content = b"Subject: s\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n\r\nx";
    let mut bytes = summary::write_summary(&summary_of(content));
    bytes.truncate(bytes.len() - 3);
    bytes[0] = 1;
    assert_eq!(read_summary(&bytes), Ok(summary_of(content)));

    let row = MessageRow {
        placements: vec![(MailboxId::from_bytes([1; 16]), 7)],
        blob: BlobId([2; 16]),
        body_octets: 3,
        body_hash: [4; 32],
        summary_blob: None,
        origin: Origin::Sent,
        home: MailboxId::from_bytes([1; 16]),
        thread_id: ThreadId::from_bytes([5; 16]),
        received_at: 6,
        message_id: None,
        verdict: vec![8],
        prefix: vec![9; 3],
        text: TextPlace::Nowhere,
        is_named: false,
        hashed_from: 0,
        other_home: None,
    };
    let mut bytes = row.write().unwrap();
    // One octet more in each version.
    for version in [4, 3, 2, 1] {
        bytes.pop();
        bytes[0] = version;
        assert_eq!(MessageRow::read(&bytes).as_ref(), Ok(&row));
    }
    let called = MessageRow {
        message_id: Some([7; 16]),
        is_named: true,
        ..row
    };
    let mut bytes = called.write().unwrap();
    bytes.truncate(bytes.len() - 3);
    bytes[0] = 2;
    assert_eq!(MessageRow::read(&bytes), Ok(called));

    // The date of a metadata row without a zone is in UTC.
    let blob = BlobId([2; 16]);
    let bytes = [
        [1].as_slice(),
        &[3; 16],
        &[5; 16],
        &1_000_i64.to_be_bytes(),
        &[7],
        &[1],
        &blob.0,
    ]
    .concat();
    let meta = MetaRow::raw(&bytes).unwrap();
    assert_eq!((meta.internal_date, meta.size_octets), (InternalDate::utc(1_000), 7));
    assert_eq!((meta.email_id, meta.blob()), (EmailId::from_bytes([3; 16]), Some(blob)));
}

#[test]
fn zones_that_are_none_do_not_read() {
    let mut value = FlagsRow {
        modseq: ModSeq(1),
        email_id: EmailId::from_bytes([3; 16]),
        flags: MessageFlags::default(),
        arrival: Some(Arrival {
            internal_date: InternalDate::new(1_000, -960),
            size_octets: 7,
            saved_at: None,
        }),
        whole: None,
    }
    .write();
    // Version, modseq, flags, email id, date.
    const ZONE: usize = 1 + 8 + 1 + 16 + 8;
    for (zone, reads) in [
        (-64_i8, true),
        (64, true),
        (0, true),
        (65, false),
        (-65, false),
        (i8::MIN, false),
    ] {
        value[ZONE] = zone.cast_unsigned();
        let row = FlagsRow::read(&value);
        assert_eq!(row.is_ok(), reads, "{zone}");
        if let Ok(row) = row {
            assert_eq!(row.arrival.unwrap().internal_date.zone_quarters(), zone);
        }
    }
}

#[test]
fn a_summary_as_deep_as_a_message_can_make_it_round_trips() {
    let mut deep = String::new();
    for level in 0..300 {
        deep.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    let summary = summary_of(deep.as_bytes());
    assert_eq!(read_summary(&summary::write_summary(&summary)), Ok(summary));
}

#[test]
fn a_truncated_summary_is_corrupt() {
    let bytes = summary::write_summary(&summary_of(NESTED));
    for end in 0..bytes.len() {
        assert!(read_summary(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_message_row_has_bounds() {
    let placement = (MailboxId::from_bytes([1; 16]), 1);
    let mut row = MessageRow {
        placements: vec![placement; 40],
        blob: BlobId([0; 16]),
        body_octets: 0,
        body_hash: [0; 32],
        summary_blob: None,
        origin: Origin::Received,
        home: placement.0,
        thread_id: ThreadId::from_bytes([0; 16]),
        received_at: 0,
        message_id: None,
        verdict: vec![0; crate::MAX_VERDICT_OCTETS],
        prefix: vec![0; 2300],
        text: TextPlace::Blob(BlobId([0; 16]), 1 << 20),
        is_named: true,
        hashed_from: 0,
        other_home: None,
    };
    assert!(row.write().is_some());
    row.placements = vec![placement; 60];
    assert!(row.write().is_none(), "longer than a value");
    row.prefix.clear();
    assert!(row.write().is_some());
    row.placements = vec![placement; 101];
    assert!(row.write().is_none(), "too many");
    // The longest prefix and verdict leave room for a few placements.
    row.prefix = vec![0; crate::MAX_PREFIX_OCTETS];
    row.placements = vec![placement; 30];
    assert!(row.write().is_some());
}

proptest! {
    #[test]
    fn rows_round_trip(email_id in email_id(), flags in message_flags(), row in message_row(), number: u64) {
        let internal_date = InternalDate::with_quarters(row.received_at, ((number % 129) as i16 - 64) as i8);
        let arrival = Arrival {
            internal_date,
            size_octets: number,
            saved_at: (number % 3 > 0).then_some(row.received_at.saturating_abs().max(1)),
        };
        for arrival in [None, Some(arrival)] {
            let whole = arrival.and_then(|_| (number % 2 > 0).then_some(row.blob));
            let flags = FlagsRow { modseq: ModSeq(number), email_id, flags: flags.clone(), arrival, whole };
            let value = flags.write();
            prop_assert_eq!(&value[FLAGS_MODSEQ..FLAGS_MODSEQ + 8], &number.to_be_bytes());
            prop_assert_eq!(value[0], if arrival.is_some() { 3 } else { 1 });
            prop_assert_eq!(FlagsRow::read(&value), Ok(flags));
        }

        let summary = SummaryPlace::Blob(row.blob);
        let meta = MetaRow { email_id, thread_id: row.thread_id, internal_date, size_octets: number, summary };
        let value = meta.write();
        prop_assert_eq!(value[0], if internal_date.zone_quarters() == 0 { 1 } else { 2 });
        let raw = MetaRow::raw(&value).unwrap();
        prop_assert_eq!((raw.internal_date, raw.size_octets, raw.email_id), (internal_date, number, email_id));
        prop_assert_eq!((raw.thread_id, raw.blob()), (row.thread_id, Some(row.blob)));

        let offsets: Vec<usize> = (0..row.placements.len()).map(MessageRow::uid_offset).collect();
        let value = row.write().unwrap();
        for (offset, (_, uid)) in offsets.into_iter().zip(&row.placements) {
            prop_assert_eq!(&value[offset..offset + 8], &uid.to_be_bytes());
        }
        prop_assert_eq!(MessageRow::read(&value), Ok(row.clone()));
        prop_assert_eq!(MessageRow::read_content(&value), Ok(row.clone().content()));

        let index = IndexRow { email_id, thread_id: row.thread_id, received_at: row.received_at };
        prop_assert_eq!(IndexRow::read(&index.write()), Ok(index));
        prop_assert_eq!(read_number(&write_number(number)), Ok(number));
        let roles = InboxRow { quota_octets: number, roles: [row.home; 7] };
        prop_assert_eq!(InboxRow::read(&roles.write()), Ok(roles));
        let uid_validity = UidValidity::MIN;
        for special_use in [None, Some(SpecialUse::Important)] {
            let mailbox = MailboxRow { parent: Some(row.home), uid_validity, leaf: "ä".repeat(9), special_use };
            prop_assert_eq!(MailboxRow::read(&mailbox.write()), Ok(mailbox));
        }
    }

    #[test]
    fn feed_rows_round_trip(events in vec(event(), 0..6), at: i64) {
        let known: Vec<_> = events.iter().cloned().map(Patchable::Known).collect();
        let row = FeedRow::write(at, &known);
        let read = FeedRow::read(ModSeq(3), &row.value).unwrap();
        prop_assert_eq!((read.at, read.events, read.modseq), (at, events, ModSeq(3)));
    }

    #[test]
    fn reading_any_bytes_is_total(mut bytes in vec(any::<u8>(), 0..300), versioned: bool) {
        if versioned && !bytes.is_empty() {
            bytes[0] = crate::codec::FORMAT + bytes[0] % 4;
        }
        let _ = FlagsRow::read(&bytes);
        let _ = MetaRow::raw(&bytes).map(|row| row.summary());
        let _ = MessageRow::read(&bytes);
        let _ = MessageRow::read_content(&bytes);
        let _ = IndexRow::read(&bytes);
        let _ = FeedRow::read(ModSeq(1), &bytes);
        let _ = InboxRow::read(&bytes);
        let _ = MailboxRow::read(&bytes);
        let _ = read_summary(&bytes);
        let _ = read_text(&bytes);
    }

    #[test]
    fn bent_rows_do_not_panic(at: prop::sample::Index, bits: u8) {
        let mut bytes = summary::write_summary(&summary_of(NESTED));
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        let _ = read_summary(&bytes);
        let _ = (read_envelope_of(&bytes), read_root_of(&bytes));
    }
}
