//! Lists and sets of numbers: of a search result, or of what is gone, there may be 100,000.

use super::number::write_number;
use postroom_types::Uid;

/// Appends the numbers in their order, each with a space before it.
pub(crate) fn write_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.push(b' ');
        write_number(out, (*number).into());
    }
}

/// Appends `a:b,c` for UIDs in the order given; runs of consecutive ones become ranges (RFC 4315 §4, `uid-set`).
pub(crate) fn write_uid_set(out: &mut Vec<u8>, uids: impl IntoIterator<Item = Uid>) {
    write_number_set(out, uids.into_iter().map(Uid::get));
}

/// The same for numbers of any kind, as they stand (RFC 5267 §3.2 has no descending ranges).
pub(crate) fn write_number_set(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    let mut numbers = numbers.into_iter().peekable();
    let mut first_range = true;
    while let Some(first) = numbers.next() {
        let mut last = first;
        while let Some(next) = numbers.next_if(|next| last.checked_add(1) == Some(*next)) {
            last = next;
        }
        write_range(out, (first, last), &mut first_range);
    }
}

/// Appends `a:b,c` for ranges as they are.
pub(crate) fn write_uid_ranges(out: &mut Vec<u8>, ranges: &[(Uid, Uid)]) {
    let mut first_range = true;
    for (first, last) in ranges {
        write_range(out, (first.get(), last.get()), &mut first_range);
    }
}

fn write_range(out: &mut Vec<u8>, (first, last): (u32, u32), first_range: &mut bool) {
    if !std::mem::take(first_range) {
        out.push(b',');
    }
    write_number(out, first.into());
    if last != first {
        out.push(b':');
        write_number(out, last.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(numbers: &[u32]) -> String {
        let mut out = Vec::new();
        write_number_set(&mut out, numbers.iter().copied());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sets() {
        assert_eq!(set(&[]), "");
        assert_eq!(set(&[2, 10, 11]), "2,10:11");
        assert_eq!(set(&[5, 3, 2, 1]), "5,3,2,1");
        assert_eq!(set(&[7, 8, 9, 9, 1]), "7:9,9,1");
        assert_eq!(set(&[u32::MAX - 1, u32::MAX, 1]), "4294967294:4294967295,1");
    }

    proptest! {
        #[test]
        fn sets_come_back(numbers in proptest::collection::vec(0_u32..30, 0..60)) {
            let mut read = Vec::new();
            let text = set(&numbers);
            for range in text.split(',').filter(|range| !range.is_empty()) {
                let (first, last) = range.split_once(':').unwrap_or((range, range));
                let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
                prop_assert!(first <= last);
                read.extend(first..=last);
            }
            prop_assert_eq!(read, numbers);
        }
    }
}
