//! Random programs of several clients, against a small model of what IMAP promises.
//!
//! A program is a list of steps, each with dice of its own, made from one seed. In turns, every answer is compared with
//! the truth; together, sessions run concurrently, each client watches the rules, and in the end all know the same. When
//! a program fails, steps are left out as long as it still fails, and what was said in the shortest is printed.
//!
//! `POSTROOM_MODEL_SECONDS` is the time for all tests of this file together (20); `POSTROOM_MODEL_SEED` repeats the one
//! program that has this seed.

mod client;
mod command;
mod dice;
mod effects;
mod heard;
mod jitter;
mod judge;
mod mail;
mod parse;
mod plan;
mod program;
mod search;
mod seat;
#[path = "../server/mod.rs"]
mod server;
mod settle;
mod together;
mod truth;
mod turns;
mod view;
mod world;

use program::{Order, StoreKind, run};

#[test]
fn in_turns_on_a_hostile_store() {
    run(Order::Turns, StoreKind::Hostile);
}

#[test]
fn in_turns_on_sled() {
    run(Order::Turns, StoreKind::Sled);
}

#[test]
fn together_on_a_hostile_store() {
    run(Order::Together, StoreKind::Hostile);
}

#[test]
fn together_on_sled() {
    run(Order::Together, StoreKind::Sled);
}

/// The programs leave out what a server does not offer, so it has to be offered.
#[test]
fn everything_is_offered() {
    const WORDS: [&str; 22] = [
        "IMAP4REV1",
        "IMAP4REV2",
        "CONDSTORE",
        "QRESYNC",
        "ENABLE",
        "IDLE",
        "UIDPLUS",
        "MOVE",
        "REPLACE",
        "MULTIAPPEND",
        "ESEARCH",
        "PARTIAL",
        "SEARCHRES",
        "SORT",
        "THREAD=REFERENCES",
        "LIST-STATUS",
        "STATUS=SIZE",
        "LITERAL+",
        "BINARY",
        "OBJECTID",
        "SAVEDATE",
        "PREVIEW",
    ];
    let missing: Vec<_> = program::capabilities().into_iter().collect();
    let missing: Vec<_> = WORDS
        .iter()
        .filter(|word| !missing.contains(&(**word).to_owned()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
