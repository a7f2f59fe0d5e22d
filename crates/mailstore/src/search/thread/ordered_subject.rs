//! ORDEREDSUBJECT: messages with the same base subject are a thread, in the order of their dates.

use super::{Member, by_date};
use postroom_types::Threads;

pub(in crate::search) fn ordered_subject(members: &[Member<'_>]) -> Threads {
    let of = |index: &u32| &members[*index as usize];
    let mut order = by_date(members);
    // Stable: within a subject the order of dates stays.
    order.sort_by_key(|index| of(index).subject_rank);
    let mut threads: Vec<&[u32]> = order
        .chunk_by(|a, b| of(a).subject_rank == of(b).subject_rank)
        .collect();
    threads.sort_unstable_by_key(|thread| (of(&thread[0]).sent_at, thread[0]));
    let mut out = Threads::with_capacity(members.len());
    for thread in threads {
        let (first, others) = (&thread[0], &thread[1..]);
        out.push((0, Some(of(first).uid)));
        out.extend(others.iter().map(|index| (1, Some(of(index).uid))));
    }
    out
}
