//! Which contexts there is room for, and what they are asked about.

use super::*;
use postroom_types::{Flag, Flags, SearchKey};
use std::ops::Range;
use std::sync::Arc;

fn uids(numbers: Range<usize>) -> Vec<Uid> {
    numbers
        .filter_map(|number| Uid::new(u32::try_from(number).ok()?))
        .collect()
}

fn some(numbers: &[u32]) -> Vec<Uid> {
    numbers.iter().copied().filter_map(Uid::new).collect()
}

fn of_program(tag: &str, program: SearchKey) -> Context {
    Context {
        tag: tag.as_bytes().to_vec(),
        ..Context::new(Arc::new(program), None)
    }
}

fn context(tag: &str, sorted: bool, results: usize) -> Context {
    Context {
        keys: sorted.then(Vec::new),
        result: uids(1..results + 1),
        ..of_program(tag, SearchKey::Has(Flags::NONE.with(Flag::Seen)))
    }
}

fn added(contexts: impl IntoIterator<Item = Context>) -> Vec<bool> {
    let mut all = Contexts::default();
    contexts.into_iter().map(|context| all.add(context)).collect()
}

#[test]
fn there_is_room_for_some() {
    let added = |contexts: &[(bool, usize)]| {
        let context = |(sorted, results): &(bool, usize)| context("a", *sorted, *results);
        added(contexts.iter().map(context))
    };
    let some = added(&[(false, 9); CONTEXTS + 1]);
    assert_eq!(some.iter().filter(|added| **added).count(), CONTEXTS);
    // The first has room, whatever it has found; unless it is sorted.
    assert_eq!(
        added(&[(false, RESULTS * 2), (false, 1), (true, 1)]),
        [true, false, false]
    );
    assert_eq!(
        added(&[(false, RESULTS - 1), (false, 1), (false, 1)]),
        [true, true, false]
    );
    assert_eq!(
        added(&[
            (true, SORTED_RESULTS + 1),
            (true, SORTED_RESULTS),
            (true, 1),
            (false, 1)
        ]),
        [false, true, false, true]
    );
}

#[test]
fn there_is_room_for_so_much_of_programs() {
    let ranges = |ranges: usize| of_program("a", SearchKey::Uids(vec![(Uid::MIN, Uid::MIN); ranges]));
    assert_eq!(
        added([ranges(RESULTS), ranges(1), ranges(0)]),
        [true, false, false],
        "the first has room, whatever it names"
    );
    assert_eq!(
        added([ranges(RESULTS / 2 - 1), ranges(1), ranges(1)]),
        [true, true, false]
    );
    let texts = |texts: usize| of_program("a", SearchKey::And(vec![SearchKey::Body("a".to_owned()); texts]));
    assert_eq!(
        added([texts(TEXTS + 1), texts(TEXTS - 2), texts(3), texts(0), texts(2)]),
        [false, true, false, true, true]
    );
}

#[test]
fn what_outgrows_it_goes() {
    let mut all = Contexts::default();
    assert!(all.add(context("a", false, RESULTS - 10)) && all.add(context("b", false, 10)));
    assert!(all.add(context("c", true, 0)) && all.outgrown().is_empty());
    all.find(b"a").unwrap().0.result = uids(1..RESULTS + 2);
    let out: Vec<_> = all.outgrown().into_iter().map(|context| context.tag).collect();
    assert_eq!(out, [b"c", b"b"]);
    assert!(all.has(b"a") && !all.has(b"b"));
}

#[test]
fn each_is_asked_once_about_what_was_told() {
    let mut all = Contexts::default();
    all.has_come(Uid::MIN);
    assert!(all.add(context("a", false, 0)) && all.add(context("b", false, 0)) && all.add(context("c", false, 0)));
    let last = Uid::new(5).unwrap();
    assert!(all.next(last, |_| true).is_none(), "nothing was kept before");
    uids(2..8).into_iter().for_each(|uid| all.has_come(uid));
    all.is_gone(Uid::new(3).unwrap(), true);
    let mut asked = Vec::new();
    while let Some((context, among)) = all.next(last, |uid| uid.get() != 4) {
        asked.push((context.tag.clone(), among.to_vec()));
        // Whatever becomes of one in the middle, the others have their turn.
        all.remove(b"a");
    }
    assert_eq!(asked, [b"a", b"b", b"c"].map(|tag| (tag.to_vec(), some(&[2, 5]))));
    let (_, among) = all.next(Uid::new(9).unwrap(), |_| true).unwrap();
    assert_eq!(among, uids(6..8));
}

/// Who is asked about what until nobody is.
fn asked(all: &mut Contexts, last: u32) -> Vec<(String, Vec<Uid>)> {
    let mut asked = Vec::new();
    while let Some((context, among)) = all.next(Uid::new(last).unwrap(), |_| true) {
        asked.push((String::from_utf8(context.tag.clone()).unwrap(), among.to_vec()));
    }
    asked
}

#[test]
fn flags_are_a_question_for_those_they_decide() {
    let mut all = Contexts::default();
    assert!(all.add(of_program("text", SearchKey::Body("x".to_owned()))));
    all.flags_have_changed(Uid::MIN);
    assert!(all.flags_changed.is_empty(), "nobody would ask");
    assert!(all.add(of_program("modseq", SearchKey::ModSeq(postroom_types::ModSeq(5)))));
    assert!(all.add(context("flags", false, 0)));
    some(&[2, 3]).into_iter().for_each(|uid| all.flags_have_changed(uid));
    let expected = ["modseq", "flags"].map(|tag| (tag.to_owned(), some(&[2, 3])));
    assert_eq!(asked(&mut all, 9), expected);
    all.has_come(Uid::new(8).unwrap());
    all.flags_have_changed(Uid::new(3).unwrap());
    let expected = [
        ("text", some(&[8])),
        ("modseq", some(&[3, 8])),
        ("flags", some(&[3, 8])),
    ];
    assert_eq!(asked(&mut all, 9), expected.map(|(tag, among)| (tag.to_owned(), among)));
}

#[test]
fn another_last_message_is_a_question_for_those_with_a_star() {
    let star = SearchKey::And(vec![SearchKey::Uids(Vec::new())]);
    let mut all = Contexts::default();
    let with_last = |context| Context {
        last: Uid::new(9),
        ..context
    };
    assert!(all.add(with_last(of_program("plain", SearchKey::All))));
    assert!(all.add(with_last(of_program("star", star))));
    assert_eq!(asked(&mut all, 9), []);
    assert_eq!(asked(&mut all, 5), [("star".to_owned(), some(&[5, 9]))]);
    let (context, _) = all.find(b"star").unwrap();
    assert_eq!(format!("{:?}", context.program), "And([Uids([(Uid(5), Uid(5))])])");
    assert_eq!(asked(&mut all, 5), []);
}

#[test]
fn what_was_asked_in_vain_is_asked_once_more() {
    let mut all = Contexts::default();
    assert!(all.add(context("a", false, 0)) && all.add(context("b", false, 0)));
    let about = |uids: &[u32]| ["a", "b"].map(|tag| (tag.to_owned(), some(uids)));
    all.flags_have_changed(Uid::new(2).unwrap());
    all.next(Uid::new(9).unwrap(), |_| true);
    assert!(all.miss(b"a"));
    assert_eq!(asked(&mut all, 9), about(&[2])[1..], "not before there are news");
    all.try_again();
    assert_eq!(asked(&mut all, 9), about(&[2])[..1]);
    let _ = all.find(b"a").unwrap().0.is_told();
    all.flags_have_changed(Uid::new(3).unwrap());
    all.next(Uid::new(9).unwrap(), |_| true);
    assert!(all.miss(b"a"), "it was told of since");
    all.flags_have_changed(Uid::new(4).unwrap());
    assert_eq!(
        asked(&mut all, 9),
        [
            about(&[3])[1].clone(),
            about(&[3, 4])[0].clone(),
            about(&[4])[1].clone()
        ]
    );
    assert!(!all.miss(b"a") && !all.has(b"a") && all.has(b"b"));
}
