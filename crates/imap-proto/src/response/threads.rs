//! THREAD responses (RFC 5256 §4), from threads in preorder and without recursion: a chain may have 100,000 messages.

use super::number::write_number;

/// Appends the threads: depth and number in preorder, `None` for a place holder.
///
/// A message with one child goes on in the same list; with several, each child begins a list of its own.
pub(crate) fn write_threads(out: &mut Vec<u8>, threads: &[(u32, Option<u32>)]) {
    let threads = without_needless_holders(threads);
    let children = children(&threads);
    // Indexes of the messages above the current one, itself included; depths at which a list was begun.
    let mut path: Vec<usize> = Vec::new();
    let mut lists: Vec<u32> = Vec::new();
    for (index, (depth, number)) in threads.iter().enumerate() {
        while lists.last().is_some_and(|begun| begun >= depth) {
            lists.pop();
            out.push(b')');
        }
        let is_first = path.len() == *depth as usize;
        path.truncate(*depth as usize);
        let parent = path.last().copied();
        let branches = parent.is_none_or(|parent| children[parent] > 1);
        let parent_is_shown = parent.is_some_and(|parent| threads[parent].1.is_some());
        if parent_is_shown && is_first {
            out.push(b' ');
        }
        if branches {
            out.push(b'(');
            lists.push(*depth);
        }
        if let Some(number) = number {
            write_number(out, (*number).into());
        }
        path.push(index);
    }
    out.extend(lists.iter().map(|_| b')'));
}

/// Leaves in place holders only where siblings without a parent need one; elsewhere what is below moves up. No depth is
/// more than one below the one before.
fn without_needless_holders(threads: &[(u32, Option<u32>)]) -> Vec<(u32, Option<u32>)> {
    let depths: Vec<(u32, Option<u32>)> = steps(threads);
    let children = children(&depths);
    let mut kept = Vec::with_capacity(depths.len());
    // For each message above the current one: the depth of what is directly below it.
    let mut below: Vec<u32> = Vec::new();
    for ((depth, number), children) in depths.into_iter().zip(children) {
        below.truncate(depth as usize);
        let moved = below.last().copied().unwrap_or(0);
        if number.is_some() || (depth == 0 && children > 1) {
            kept.push((moved, number));
            below.push(moved + 1);
        } else {
            below.push(moved);
        }
    }
    kept
}

/// The same with depths that rise by one at most.
fn steps(threads: &[(u32, Option<u32>)]) -> Vec<(u32, Option<u32>)> {
    let mut room = 0;
    let step = |(depth, number): &(u32, Option<u32>)| {
        let depth = room.min(*depth);
        room = depth + 1;
        (depth, *number)
    };
    threads.iter().map(step).collect()
}

/// How many messages are directly below each.
fn children(threads: &[(u32, Option<u32>)]) -> Vec<usize> {
    let mut children = vec![0; threads.len()];
    let mut path: Vec<usize> = Vec::new();
    for (index, (depth, _)) in threads.iter().enumerate() {
        path.truncate(*depth as usize);
        if let Some(parent) = path.last() {
            children[*parent] += 1;
        }
        path.push(index);
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(threads: &[(u32, Option<u32>)]) -> String {
        let mut out = Vec::new();
        write_threads(&mut out, threads);
        String::from_utf8(out).unwrap()
    }

    /// `0:3 1:6 0:-`
    fn read(text: &str) -> Vec<(u32, Option<u32>)> {
        let node = |node: &str| {
            let (depth, number) = node.split_once(':').unwrap();
            (depth.parse().unwrap(), number.parse().ok())
        };
        text.split_whitespace().map(node).collect()
    }

    #[test]
    fn examples_of_the_rfc() {
        let check = |threads: &str, expected: &str| assert_eq!(shown(&read(threads)), expected, "{threads}");
        check("", "");
        check("0:2 0:3 1:6 2:4 3:23 2:44 3:7 4:96", "(2)(3 6 (4 23)(44 7 96))");
        check("0:- 1:3 1:5", "((3)(5))");
        check("0:196 1:197 1:198 0:199 0:200 1:202", "(196 (197)(198))(199)(200 202)");
        check("0:- 1:194 1:195 2:196 0:197 1:198", "((194)(195 196))(197 198)");
        check(
            "0:- 1:177 1:183 1:182 1:188 2:184 2:189 1:185 2:186 1:187 0:190",
            "((177)(183)(182)(188 (184)(189))(185 186)(187))(190)",
        );
    }

    #[test]
    fn needless_place_holders() {
        let check = |threads: &str, expected: &str| assert_eq!(shown(&read(threads)), expected, "{threads}");
        check("0:- 1:3", "(3)");
        check("0:-", "");
        check("0:1 1:- 2:2 2:3", "(1 (2)(3))");
        check("0:- 1:- 2:4 1:5", "((4)(5))");
        check("0:1 5:2", "(1 2)");
    }

    #[test]
    fn long_chains() {
        let chain: Vec<(u32, Option<u32>)> = (0..100_000).map(|depth| (depth, Some(depth + 1))).collect();
        let text = shown(&chain);
        assert!(text.starts_with("(1 2 3 ") && text.ends_with(" 100000)"));
        // Each message but the first has a sibling, so that lists nest as deep as the chain is long.
        let comb = (0..50_000).flat_map(|depth| [(depth, Some(2 * depth + 1)), (depth + 1, Some(2 * depth + 2))]);
        let comb: Vec<(u32, Option<u32>)> = comb.collect();
        assert_eq!(shown(&comb).matches('(').count(), shown(&comb).matches(')').count());
    }

    /// A client's reading of the grammar: every list is `(n n n (…)(…))` or `((…)(…))`.
    fn parse_list(text: &[u8], at: &mut usize, depth: u32, read: &mut Vec<(u32, Option<u32>)>) {
        assert_eq!(text[*at], b'(');
        *at += 1;
        let mut below = depth;
        if text[*at] == b'(' {
            read.push((below, None));
            below += 1;
        }
        while text[*at].is_ascii_digit() {
            let digits = text[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = std::str::from_utf8(&text[*at..*at + digits]).unwrap().parse().unwrap();
            read.push((below, Some(number)));
            below += 1;
            *at += digits;
            if text[*at] == b' ' {
                *at += 1;
                assert_ne!(text[*at], b')');
            }
        }
        let mut lists = 0;
        while text[*at] == b'(' {
            parse_list(text, at, below, read);
            lists += 1;
        }
        assert_ne!(lists, 1, "thread-nested has at least two lists");
        assert_eq!(text[*at], b')');
        *at += 1;
    }

    proptest! {
        #[test]
        fn a_client_reads_what_was_meant(depths in proptest::collection::vec(0_u32..8, 0..40), holders: u64) {
            let numbered: Vec<(u32, Option<u32>)> = steps(&depths
                .iter()
                .enumerate()
                .map(|(index, depth)| {
                    let holder = *depth == 0 && holders >> (index % 64) & 1 == 1;
                    (*depth, (!holder).then_some(index as u32 + 1))
                })
                .collect::<Vec<_>>());
            let meant = without_needless_holders(&numbered);
            let text = shown(&numbered);
            let (mut at, mut read) = (0, Vec::new());
            while at < text.len() {
                parse_list(text.as_bytes(), &mut at, 0, &mut read);
            }
            prop_assert_eq!(read, meant);
        }
    }
}
