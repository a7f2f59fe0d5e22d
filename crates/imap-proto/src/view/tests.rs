use super::*;
use postroom_types::{Flag, Flags};
use proptest::prelude::*;

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn news(appended: &[u32], expunged: &[u32]) -> News {
    News {
        appended: appended.iter().map(|n| uid(*n)).collect(),
        expunged: expunged.iter().map(|n| uid(*n)).collect(),
        ..News::default()
    }
}

#[test]
fn expunges_count_down_as_in_the_rfc() {
    let mut view = View::of((1..=11).map(uid).collect());
    view.absorb(news(&[], &[3, 4, 7, 11]));
    let told: Vec<u32> = view
        .tell(true, true)
        .expunged
        .into_iter()
        .map(|(seq, _)| seq.get())
        .collect();
    assert_eq!(told, [3, 3, 5, 8]); // RFC 3501 §6.4.3
}

#[test]
fn numbers_stay_until_an_expunge_is_told() {
    let mut view = View::of((1..=3).map(uid).collect());
    view.absorb(news(&[4], &[2]));
    let telling = view.tell(false, true);
    assert_eq!(
        (telling.expunged.len(), telling.exists, telling.recent),
        (0, Some(4), Some(0))
    );
    assert_eq!(view.uid_of(SeqNum::new(3).unwrap()), Some(uid(3)));
    assert_eq!(view.tell(true, true).expunged.len(), 1);
    assert_eq!(view.uid_of(SeqNum::new(2).unwrap()), Some(uid(3)));
}

#[test]
fn a_silent_store_does_not_hide_what_others_did() {
    let now = |flag| FlagsNow {
        uid: uid(1),
        flags: MessageFlags::system(Flags::NONE.with(flag)),
        modseq: ModSeq(1),
    };
    let mut view = View::of(vec![uid(1)]);
    view.flags_changed_silently(&now(Flag::Seen));
    assert_eq!(view.tell(true, true), Telling::default());
    view.absorb(News {
        flags: vec![now(Flag::Flagged)],
        ..News::default()
    });
    view.flags_changed_silently(&now(Flag::Draft));
    assert_eq!(view.tell(true, true).flags[0].1, now(Flag::Draft));
}

#[test]
fn what_another_session_was_told_first_is_not_recent() {
    let mut view = View::of(vec![uid(1)]);
    view.recent_from = Some(uid(2));
    view.absorb(News {
        not_recent: vec![uid(2)],
        ..news(&[2, 3], &[])
    });
    assert_eq!(view.recent(), 0, "not told yet");
    let telling = view.tell(true, true);
    assert_eq!((telling.exists, telling.recent), (Some(3), Some(1)));
    assert_eq!((view.is_recent(uid(2)), view.is_recent(uid(3))), (false, true));
    view.absorb(news(&[], &[2]));
    assert_eq!(view.tell(true, true).recent, None, "as many are recent as before");
    assert_eq!((view.exists(), view.recent()), (2, 1));
    view.absorb(news(&[], &[3]));
    let telling = view.tell(true, true);
    assert_eq!((telling.exists, telling.recent), (None, Some(0)));
}

#[test]
fn a_client_learns_from_where_to_resynchronise() {
    let at = |modseq, news| News {
        highest_modseq: Some(ModSeq(modseq)),
        ..news
    };
    let flags = |number, modseq| FlagsNow {
        uid: uid(number),
        flags: MessageFlags::default(),
        modseq: ModSeq(modseq),
    };
    let mut view = View::of((1..=5).map(uid).collect());
    view.absorb(at(10, News::default()));
    view.tell(false, true);
    assert_eq!(view.highest_modseq(), ModSeq(10));
    // An expunge is held back, and so is everything after it.
    view.modseq_shown(ModSeq(13));
    view.absorb(at(13, news(&[], &[2])));
    view.tell(false, true);
    assert_eq!(view.highest_modseq(), ModSeq(10));
    assert!(view.shows_too_much() && !view.shows_too_much(), "said once");
    view.tell(true, true);
    assert_eq!(view.highest_modseq(), ModSeq(13));
    assert!(!view.shows_too_much());
    // So are flags that the client does not want to be told of now.
    let changed = News {
        flags: vec![flags(3, 14)],
        ..News::default()
    };
    view.absorb(at(14, changed));
    assert_eq!(view.tell(true, false), Telling::default());
    assert_eq!(view.highest_modseq(), ModSeq(13));
    assert_eq!(view.tell(true, true).flags.len(), 1);
    assert_eq!(view.highest_modseq(), ModSeq(14));
    // The news do not reach what was shown: nobody knows what else has happened.
    view.modseq_shown(ModSeq(15));
    view.tell(true, true);
    assert!(view.shows_too_much());
    assert_eq!(view.highest_modseq(), ModSeq(14));
}

#[test]
fn who_is_not_present_is_gone() {
    let mut view = View::of((1..=4).map(uid).collect());
    view.absorb(news(&[5, 6], &[]));
    view.absorb(News {
        present: Some([1, 3, 6, 9].map(uid).into()),
        ..News::default()
    });
    assert!(view.is_gone(uid(2)) && !view.is_gone(uid(3)));
    let telling = view.tell(true, true);
    let told: Vec<u32> = telling.expunged.iter().map(|(_, uid)| uid.get()).collect();
    assert_eq!((told, telling.exists, telling.recent), (vec![2, 4], Some(3), Some(0)));
    assert_eq!(view.to_vec(), [1, 3, 6].map(uid));
}

#[derive(Clone, Debug)]
enum Step {
    Append(u32),
    Expunge(usize),
    Tell(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u32..4).prop_map(Step::Append),
        (0_usize..30).prop_map(Step::Expunge),
        any::<bool>().prop_map(Step::Tell),
    ]
}

proptest! {
    /// A client that does as it is told always ends with the view's numbering, and in the end with the mailbox.
    #[test]
    fn a_client_that_listens_knows_the_numbering(steps in proptest::collection::vec(step(), 0..60)) {
        let mut mailbox: Vec<u32> = vec![1, 2, 3];
        let mut highest = 3;
        let mut view = View::of(mailbox.iter().map(|n| uid(*n)).collect());
        let mut client = mailbox.clone();
        for step in steps.into_iter().chain([Step::Tell(true)]) {
            match step {
                Step::Append(gap) => {
                    highest += gap;
                    mailbox.push(highest);
                    view.absorb(news(&[highest], &[]));
                }
                Step::Expunge(at) if at < mailbox.len() => view.absorb(news(&[], &[mailbox.remove(at)])),
                Step::Expunge(_) => {}
                Step::Tell(expunges) => {
                    let telling = view.tell(expunges, true);
                    prop_assert!(expunges || telling.expunged.is_empty());
                    for (seq, _) in telling.expunged {
                        client.remove(seq.get() as usize - 1);
                    }
                    if let Some(exists) = telling.exists {
                        prop_assert!(exists as usize > client.len());
                        for at in client.len()..exists as usize {
                            client.push(view.to_vec()[at].get());
                        }
                    }
                    let told: Vec<u32> = view.to_vec().iter().map(|uid| uid.get()).collect();
                    prop_assert_eq!(&client, &told);
                }
            }
        }
        prop_assert_eq!(client, mailbox);
    }
}
