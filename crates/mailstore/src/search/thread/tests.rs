//! Threads against the words of RFC 5256, followed step by step with no thought of time or depth.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// A message or a dummy, with its children.
#[derive(Clone, Debug)]
struct Node {
    message: Option<usize>,
    children: Vec<Node>,
}

/// Step 1: (parent of each node, message of each node).
fn link(members: &[Member<'_>]) -> (Vec<Option<usize>>, usize) {
    let mut ids: HashMap<u64, usize> = HashMap::new();
    let mut parents: Vec<Option<usize>> = vec![None; members.len()];
    for (index, member) in members.iter().enumerate() {
        if member.message_id != 0 {
            ids.entry(member.message_id).or_insert(index);
        }
    }
    let is_below = |parents: &[Option<usize>], mut node: usize, above: usize| loop {
        if node == above {
            return true;
        }
        match parents[node] {
            Some(parent) => node = parent,
            None => return false,
        }
    };
    for (index, member) in members.iter().enumerate() {
        let mut nodes = Vec::new();
        for reference in member.references {
            let node = *ids.entry(*reference).or_insert_with(|| {
                parents.push(None);
                parents.len() - 1
            });
            nodes.push(node);
        }
        for pair in nodes.windows(2) {
            if parents[pair[1]].is_none() && !is_below(&parents, pair[0], pair[1]) {
                parents[pair[1]] = Some(pair[0]);
            }
        }
        parents[index] = None;
        if let Some(last) = nodes.last()
            && !is_below(&parents, *last, index)
        {
            parents[index] = Some(*last);
        }
    }
    (parents, members.len())
}

fn build(parents: &[Option<usize>], messages: usize, above: Option<usize>) -> Vec<Node> {
    let children = (0..parents.len()).filter(|node| parents[*node] == above);
    children
        .map(|node| Node {
            message: (node < messages).then_some(node),
            children: build(parents, messages, Some(node)),
        })
        .collect()
}

/// Step 3.
fn prune(nodes: Vec<Node>, below_root: bool) -> Vec<Node> {
    let mut kept = Vec::new();
    for mut node in nodes {
        node.children = prune(node.children, false);
        if node.message.is_some() || below_root && node.children.len() > 1 {
            kept.push(node);
        } else {
            kept.extend(node.children);
        }
    }
    kept
}

/// Steps 4 and 6.
fn sort(members: &[Member<'_>], nodes: &mut [Node]) {
    nodes.iter_mut().for_each(|node| sort(members, &mut node.children));
    nodes.sort_by_key(|node| {
        let first = first(node);
        (members[first].sent_at, first)
    });
}

fn first(node: &Node) -> usize {
    node.message.unwrap_or_else(|| first(&node.children[0]))
}

/// Step 5.
fn merge(members: &[Member<'_>], roots: Vec<Node>) -> Vec<Node> {
    let is_reply = |node: &Node| node.message.is_some_and(|index| members[index].is_reply);
    let subjects: Vec<Option<u32>> = roots.iter().map(|node| members[first(node)].subject).collect();
    let mut table: HashMap<u32, usize> = HashMap::new();
    for (at, node) in roots.iter().enumerate() {
        let Some(subject) = subjects[at] else { continue };
        let entry = table.entry(subject).or_insert(at);
        let there = &roots[*entry];
        if there.message.is_some() && (node.message.is_none() || is_reply(there) && !is_reply(node)) {
            *entry = at;
        }
    }
    let mut roots: Vec<Option<Node>> = roots.into_iter().map(Some).collect();
    for at in 0..roots.len() {
        let Some(entry) = subjects[at].map(|subject| table[&subject]) else {
            continue;
        };
        if entry == at {
            continue;
        }
        let current = roots[at].take().unwrap();
        let there = roots[entry].as_mut().unwrap();
        match (there.message, current.message) {
            (None, None) => there.children.extend(current.children),
            (None, Some(_)) => there.children.push(current),
            _ if is_reply(&current) && !is_reply(there) => there.children.push(current),
            _ => {
                let other = there.clone();
                *there = Node {
                    message: None,
                    children: vec![other, current],
                };
            }
        }
    }
    roots.into_iter().flatten().collect()
}

fn naive(members: &[Member<'_>]) -> Threads {
    fn write(members: &[Member<'_>], nodes: &[Node], depth: u32, out: &mut Threads) {
        for node in nodes {
            out.push((depth, node.message.map(|index| members[index].uid)));
            write(members, &node.children, depth + 1, out);
        }
    }
    let (parents, messages) = link(members);
    let mut roots = prune(build(&parents, messages, None), true);
    sort(members, &mut roots);
    let mut roots = merge(members, roots);
    sort(members, &mut roots);
    let mut out = Threads::new();
    write(members, &roots, 0, &mut out);
    out
}

fn naive_ordered_subject(members: &[Member<'_>]) -> Threads {
    let mut threads: Vec<Vec<usize>> = Vec::new();
    for index in 0..members.len() {
        let same = |thread: &&mut Vec<usize>| members[thread[0]].subject_rank == members[index].subject_rank;
        match threads.iter_mut().find(same) {
            Some(thread) => thread.push(index),
            None => threads.push(vec![index]),
        }
    }
    let date = |index: &usize| (members[*index].sent_at, *index);
    threads.iter_mut().for_each(|thread| thread.sort_by_key(date));
    threads.sort_by_key(|thread| date(&thread[0]));
    let entries = threads.iter().flat_map(|thread| thread.iter().enumerate());
    entries
        .map(|(at, index)| (u32::from(at > 0), Some(members[*index].uid)))
        .collect()
}

type Sketch = (u64, Vec<u64>, i64, u32, bool);

/// Members of (Message-ID, references, date, subject, is a reply); subject 0 is the empty one.
fn members<'a>(sketches: &'a [Sketch]) -> Vec<Member<'a>> {
    let of = |(index, sketch): (usize, &'a Sketch)| Member {
        uid: Uid::new(index as u32 + 1).unwrap(),
        message_id: sketch.0,
        references: &sketch.1,
        sent_at: sketch.2,
        subject: (sketch.3 != 0).then_some(sketch.3),
        subject_rank: sketch.3,
        is_reply: sketch.4,
    };
    sketches.iter().enumerate().map(of).collect()
}

/// `(1 2 (3) (4))`, as the protocol writes it.
fn shown(threads: &Threads) -> String {
    let lines: Vec<String> = threads
        .iter()
        .map(|(depth, uid)| format!("{depth}:{}", uid.map_or("-".to_owned(), |uid| uid.to_string())))
        .collect();
    lines.join(" ")
}

#[test]
fn threads_of_the_rfc() {
    let none: Vec<u64> = vec![];
    let cases: Vec<(&str, Vec<Sketch>, &str)> = vec![
        ("nothing", vec![], ""),
        (
            "by date",
            vec![(1, none.clone(), 9, 1, false), (2, none.clone(), 3, 2, false)],
            "0:2 0:1",
        ),
        (
            "RFC 5256 §4: (2)(3 6 (4 23)(44 7 96)), as 1 (2), 2 (3), 3 (6), 4 (4), 5 (23), 6 (44), 7 (7), 8 (96)",
            vec![
                (2, none.clone(), 1, 1, false),
                (3, none.clone(), 2, 2, false),
                (6, vec![3], 3, 3, false),
                (4, vec![3, 6], 4, 4, false),
                (23, vec![3, 6, 4], 5, 5, false),
                (44, vec![3, 6], 6, 6, false),
                (7, vec![6, 44], 7, 7, false),
                (96, vec![7], 8, 8, false),
            ],
            "0:1 0:2 1:3 2:4 3:5 2:6 3:7 4:8",
        ),
        (
            "RFC 5256 §4: ((3)(5)), siblings of a parent that is not there",
            vec![(3, vec![1], 1, 1, false), (5, vec![1], 2, 2, false)],
            "0:- 1:1 1:2",
        ),
        ("an only child of a dummy", vec![(3, vec![1, 2], 1, 1, false)], "0:1"),
        (
            "a loop",
            vec![(1, vec![2], 1, 1, false), (2, vec![1], 2, 2, false)],
            "0:2 1:1",
        ),
        ("oneself", vec![(1, vec![1], 1, 1, false)], "0:1"),
        (
            "the last reference is the parent, whatever was said",
            vec![
                (1, none.clone(), 1, 1, false),
                (2, vec![1], 2, 2, false),
                (3, vec![2, 1, 4], 3, 3, false),
                (4, none.clone(), 4, 4, false),
            ],
            "0:1 1:2 0:4 1:3",
        ),
        (
            "the second with a Message-ID has none",
            vec![
                (1, none.clone(), 1, 1, false),
                (1, none.clone(), 2, 2, false),
                (3, vec![1], 3, 3, false),
            ],
            "0:1 1:3 0:2",
        ),
        (
            "a reply by its subject",
            vec![(1, none.clone(), 2, 7, false), (2, none.clone(), 1, 7, true)],
            "0:1 1:2",
        ),
        (
            "two of one subject, none a reply",
            vec![(1, none.clone(), 2, 7, false), (2, none.clone(), 1, 7, false)],
            "0:- 1:2 1:1",
        ),
        (
            "two replies",
            vec![(1, none.clone(), 1, 7, true), (2, none.clone(), 2, 7, true)],
            "0:- 1:1 1:2",
        ),
        (
            "no subject",
            vec![(1, none.clone(), 1, 0, false), (2, none.clone(), 2, 0, true)],
            "0:1 0:2",
        ),
        (
            "dummies of one subject",
            vec![
                (3, vec![1], 1, 7, false),
                (4, vec![1], 4, 7, false),
                (5, vec![2], 3, 7, true),
                (6, vec![2], 2, 8, false),
            ],
            "0:- 1:1 1:2 0:- 1:4 1:3",
        ),
    ];
    for (what, sketches, expected) in cases {
        let members = members(&sketches);
        assert_eq!(shown(&naive(&members)), expected, "{what}: the naive one");
        assert_eq!(shown(&by_references(&members)), expected, "{what}");
    }
}

#[test]
fn a_chain_as_long_as_a_mailbox() {
    for reversed in [false, true] {
        let of = |index: u64| {
            let number = if reversed { 100_000 - index } else { index + 1 };
            let references = (number.saturating_sub(3).max(1)..number).collect();
            (number, references, number as i64, 1, number > 1)
        };
        let sketches: Vec<Sketch> = (0..100_000).map(of).collect();
        let members = members(&sketches);
        let threads = by_references(&members);
        assert_eq!(threads.len(), 100_000);
        assert!(threads.iter().enumerate().all(|(at, (depth, _))| *depth == at as u32));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn threads_are_those_of_the_rfc(sketches in proptest::collection::vec(
        (0..12u64, proptest::collection::vec(1..14u64, 0..5), 0..6i64, 0..4u32, any::<bool>()), 0..14)) {
        let members = members(&sketches);
        prop_assert_eq!(shown(&by_references(&members)), shown(&naive(&members)));
        prop_assert_eq!(shown(&ordered_subject(&members)), shown(&naive_ordered_subject(&members)));
    }
}
