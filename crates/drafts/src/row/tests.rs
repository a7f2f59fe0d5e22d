use super::*;

#[test]
fn rows_are_read_as_they_were_written() {
    let bare = DraftRow::new(EmailId::new(), 1);
    let full = DraftRow {
        labels: vec!["zwei wörter".into()],
        client_id: Some("mine".into()),
        refers: Some(Refers {
            to: EmailId::new(),
            message_id: None,
            how: How::Forward,
            passing: Passing {
                wrapped: true,
                ..Passing::default()
            },
        }),
        thread: Some(ThreadId::new()),
        send_at: Some(7),
        failed: Some("why".into()),
        retry_at: Some(9),
        sent: Some(EmailId::new()),
        sent_as: Some(SentAs {
            message: EmailId::new(),
            generation: 3,
            until: 11,
        }),
        cleared: true,
        ..bare.clone()
    };
    for row in [bare, full] {
        assert_eq!(DraftRow::read(&row.write().unwrap()).unwrap(), row);
    }
    for bad in [&b""[..], b"\x01", b"\x02{}", b"\x01{}", b"\x01[]"] {
        assert!(DraftRow::read(bad).is_err(), "{bad:?}");
    }
    let long = DraftRow {
        labels: vec!["x".repeat(5000)],
        ..DraftRow::new(EmailId::new(), 1)
    };
    assert!(matches!(long.write(), Err(DraftError::Invalid(_))));
}

#[test]
fn a_full_row_can_be_sent_and_refused() {
    let full = |octets| DraftRow {
        labels: vec!["x".repeat(octets)],
        client_id: Some("c".repeat(256)),
        send_at: Some(7),
        ..DraftRow::new(EmailId::new(), 1)
    };
    // As much as an older server took.
    let row = (3000..MAX_VALUE_OCTETS)
        .rev()
        .map(full)
        .find(|row| row.write().is_ok())
        .expect("some fit");
    assert!(matches!(row.check_room(), Err(DraftError::Invalid(_))));
    let reason = "\u{1}".repeat(1000);
    let refused = row.refused(&reason).unwrap();
    assert_eq!(
        (
            refused.due_at(),
            refused.labels.len(),
            refused.failed.map(|why| why.len())
        ),
        (None, 0, Some(MAX_REASON_CHARS))
    );
    let sent_as = SentAs {
        message: EmailId::new(),
        generation: 3,
        until: i64::MAX,
    };
    row.sent(row.version, sent_as).write().unwrap();
    // What is taken now has room for all of that.
    let row = (0..MAX_VALUE_OCTETS)
        .rev()
        .map(full)
        .find(|row| row.check_room().is_ok())
        .expect("some fit");
    assert_eq!(row.refused(&reason).unwrap().labels, row.labels);
}

#[test]
fn what_was_sent_is_remembered_for_a_time() {
    let draft = DraftRow {
        client_id: Some("mine".into()),
        send_at: Some(7),
        retry_at: Some(9),
        ..DraftRow::new(EmailId::new(), 1)
    };
    assert_eq!((draft.due_at(), draft.remembered(0)), (Some(9), None));
    let sent_as = SentAs {
        message: EmailId::new(),
        generation: 3,
        until: 100,
    };
    let sent = draft.sent(draft.version, sent_as);
    assert_eq!((sent.due_at(), sent.is_to_be_cleared()), (Some(0), true));
    let rest = sent.remembered(99).unwrap();
    assert_eq!((rest.due_at(), rest.is_to_be_cleared()), (Some(100), false));
    assert_eq!((sent.remembered(100), rest.remembered(100)), (None, None));
    let newer = rest.renewed(EmailId::new(), 2);
    assert_eq!(
        (newer.due_at(), newer.sent_as(99), newer.client_id.as_deref()),
        (None, Some(sent_as), Some("mine"))
    );
    assert_eq!(newer.remembered(99).and_then(|row| row.due_at()), Some(100));
}

/// A row of the first version, as it lies in stores.
#[test]
fn the_first_format_stays_readable() {
    let value = b"\x01{\"version\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"created_at\":5,\"labels\":[\"a\"],\
        \"refers\":{\"to\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"message_id\":\"q@x\",\"how\":\"ReplyAll\"},\"send_at\":9}";
    let row = DraftRow::read(value).unwrap();
    assert_eq!(
        (row.created_at, row.send_at, row.due_at(), row.is_reply_all()),
        (5, Some(9), Some(9), true)
    );
    assert_eq!(row.labels, ["a"]);
}

#[test]
fn keys_tell_what_they_are_of() {
    let (inbox, id) = (InboxId::from_bytes([1; 16]), DraftId([2; 16]));
    let key = when_key(1_700_000_000_000, inbox, id);
    assert_eq!((when(&key), named(&key)), (Some(1_700_000_000_000), Some((inbox, id))));
    assert_eq!(named(&row_key(inbox, id)), Some((inbox, id)));
    assert!(when_key(1, inbox, id) < when_key(256, inbox, id) && when_key(-5, inbox, id).starts_with(WHEN));
    assert_eq!(read_id(&id_value(id)).unwrap(), id);
}
