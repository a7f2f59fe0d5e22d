//! Search programs: short ways to say one, and random ones.

use crate::common::{NOW, keyword, uid};
use crate::naive::DAY;
use postroom_types::{AddressField, Flags, ModSeq, SearchKey, SortBy, SortKey, Uid};
use proptest::prelude::*;

pub(crate) fn key(by: SortBy, reverse: bool) -> SortKey {
    SortKey { by, reverse }
}

pub(crate) fn from(text: &str) -> SearchKey {
    SearchKey::Address {
        field: AddressField::From,
        text: text.to_owned(),
    }
}

fn needle() -> impl Strategy<Value = String> {
    let words = [
        "",
        "hello",
        "HELLO",
        "world",
        "caf\u{e9}",
        "CAFE\u{301}",
        "cafe",
        "ann",
        "<ann@example.net>",
        "Ann Bee <ann",
        "\"",
        "\"Bob",
        "friends: Ann",
        "J\u{fc}rgen",
        "softbreak",
        "hidden",
        "inside",
        "inner",
        "line =",
        "at the end",
        "r299@",
        "=?utf",
        "Subject:",
        "subject: hello",
        "hello\r\nworld",
        "raw h\u{e9}",
        "aGVs",
        "xxxx",
        "large",
        "a",
        "\n",
        "<2@x>",
        "nowhere",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

pub(crate) fn program() -> impl Strategy<Value = SearchKey> {
    let field = proptest::sample::select(vec![
        AddressField::From,
        AddressField::To,
        AddressField::Cc,
        AddressField::Bcc,
    ]);
    let name = proptest::sample::select(vec![
        "Subject",
        "from",
        "X-Empty",
        "x-long",
        "Message-ID",
        "",
        "Received",
        "Content-Type",
    ]);
    let today = NOW / 1000 / DAY;
    let day = today - 3..today + 25;
    let text = prop_oneof![
        (field, needle()).prop_map(|(field, text)| SearchKey::Address { field, text }),
        needle().prop_map(SearchKey::Subject),
        (name, needle()).prop_map(|(name, text)| SearchKey::Header {
            name: name.to_owned(),
            text
        }),
        needle().prop_map(SearchKey::Body),
        needle().prop_map(SearchKey::Text),
    ];
    let other = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::SaveDateSupported),
        (1..20u32, 0..5u32)
            .prop_map(|(first, more)| SearchKey::Uids(vec![(uid(first), uid(first + more)), (uid(30), uid(40))])),
        (0..20u32).prop_map(|from| SearchKey::RecentFrom(Uid::new(from))),
        any::<u8>().prop_map(|bits| SearchKey::Has(Flags::from_bits(bits & 12))),
        proptest::sample::select(vec!["WORK", "$label1", "none"]).prop_map(|word| SearchKey::Keyword(keyword(word))),
        (0..2000u64).prop_map(SearchKey::Larger),
        (0..2000u64).prop_map(SearchKey::Smaller),
        day.clone().prop_map(SearchKey::Before),
        day.clone().prop_map(SearchKey::On),
        day.clone().prop_map(SearchKey::Since),
    ];
    let dated = prop_oneof![
        (today..today + 20).prop_map(SearchKey::SentBefore),
        (today + 14..today + 18).prop_map(SearchKey::SentOn),
        (today..today + 20).prop_map(SearchKey::SentSince),
        day.clone().prop_map(SearchKey::SavedBefore),
        day.clone().prop_map(SearchKey::SavedOn),
        day.prop_map(SearchKey::SavedSince),
        (0..20u64).prop_map(|days| SearchKey::Younger(days * DAY as u64)),
        (0..20u64).prop_map(|days| SearchKey::Older(days * DAY as u64)),
        (0..30u64).prop_map(|modseq| SearchKey::ModSeq(ModSeq(modseq))),
        Just(SearchKey::EmailId(None)),
        Just(SearchKey::ThreadId(None)),
    ];
    prop_oneof![3 => text, 2 => other, 2 => dated].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(SearchKey::And),
            (inner.clone(), inner.clone()).prop_map(|both| SearchKey::Or(Box::new(both))),
            inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
}
