//! SEARCH, SORT and ESEARCH responses (RFC 3501 §7.2.5, RFC 5256 §4, RFC 4731 §3; RFC 9051 §7.3.4).

use super::number::write_number;
use super::number_set::{write_number_set, write_numbers};
use crate::grammar::return_options::ReturnOptions;
use postroom_types::ModSeq;

/// What was found: sequence numbers or UIDs in the order of the result, and their modseqs if the program asked for one.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) numbers: Vec<u32>,
    pub(crate) modseqs: Vec<ModSeq>,
}

impl Results {
    /// The highest modseq of the messages that are told (RFC 4731 §3.2).
    fn modseq(&self, options: &ReturnOptions) -> Option<ModSeq> {
        let chosen = options.chosen(self.numbers.len());
        let told = chosen.into_iter().filter_map(|range| self.modseqs.get(range));
        told.flatten().max().copied()
    }
}

/// `* SEARCH 2 3 (MODSEQ 5)` or the same of SORT.
pub(crate) fn write_plain(out: &mut Vec<u8>, verb: &str, results: &Results) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(verb.as_bytes());
    write_numbers(out, &results.numbers);
    if let Some(highest) = results.modseqs.iter().max() {
        out.extend_from_slice(format!(" (MODSEQ {highest})").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// `* ESEARCH (TAG "a") UID`. A tag is made of characters that need no quoting.
fn write_beginning(out: &mut Vec<u8>, tag: &[u8], by_uid: bool) {
    out.extend_from_slice(b"* ESEARCH (TAG \"");
    out.extend_from_slice(tag);
    out.extend_from_slice(if by_uid { b"\") UID" } else { b"\")" });
}

/// `* ESEARCH (TAG "a") UID MIN 2 MAX 8 ALL 2,5:8 COUNT 5 MODSEQ 9`, or PARTIAL (2:3 5:6) for ALL; of nothing only COUNT is
/// told, and that PARTIAL is NIL.
pub(crate) fn write_esearch(out: &mut Vec<u8>, tag: &[u8], by_uid: bool, options: &ReturnOptions, results: &Results) {
    write_beginning(out, tag, by_uid);
    let numbers = &results.numbers;
    let ends = [
        ("MIN", options.min, numbers.first()),
        ("MAX", options.max, numbers.last()),
    ];
    for (name, wanted, number) in ends {
        if let Some(number) = number.filter(|_| wanted) {
            out.extend_from_slice(format!(" {name} {number}").as_bytes());
        }
    }
    if options.all && !numbers.is_empty() {
        out.extend_from_slice(b" ALL ");
        write_number_set(out, numbers.iter().copied());
    }
    if let Some(partial) = options.partial {
        out.extend_from_slice(format!(" PARTIAL ({partial} ").as_bytes());
        match &numbers[partial.of(numbers.len())] {
            [] => out.extend_from_slice(b"NIL"),
            some => write_number_set(out, some.iter().copied()),
        }
        out.push(b')');
    }
    if options.count {
        out.extend_from_slice(b" COUNT ");
        write_number(out, numbers.len() as u64);
    }
    if let Some(highest) = results.modseq(options) {
        out.extend_from_slice(format!(" MODSEQ {highest}").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// `* ESEARCH (TAG "a") UID ADDTO (1 2731:2733 9 5)`: what was put into a result or taken out of it, each run with its place
/// (RFC 5267 §4.3.3, §4.3.4).
pub(crate) fn write_update(out: &mut Vec<u8>, tag: &[u8], by_uid: bool, item: &str, runs: &[(usize, Vec<u32>)]) {
    write_beginning(out, tag, by_uid);
    out.push(b' ');
    out.extend_from_slice(item.as_bytes());
    let mut separator: &[u8] = b" (";
    for (place, numbers) in runs {
        out.extend_from_slice(separator);
        write_number(out, *place as u64);
        out.push(b' ');
        write_number_set(out, numbers.iter().copied());
        separator = b" ";
    }
    out.extend_from_slice(b")\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Scanner;

    #[test]
    fn responses() {
        let check = |wanted: &str, numbers: &[u32], modseqs: &[u64], expected: &str| {
            let text = format!("RETURN ({}) ALL", wanted.trim_end_matches(" uid"));
            let options = ReturnOptions::parse(&mut Scanner::new(text.as_bytes()))
                .unwrap()
                .unwrap();
            let results = Results {
                numbers: numbers.to_vec(),
                modseqs: modseqs.iter().copied().map(ModSeq).collect(),
            };
            let mut out = Vec::new();
            write_esearch(&mut out, b"a", wanted.ends_with("uid"), &options, &results);
            let shown = String::from_utf8(out).unwrap();
            assert_eq!(shown, format!("* ESEARCH (TAG \"a\"){expected}\r\n"), "{wanted}");
        };
        check("min count", &[2, 10, 11], &[], " MIN 2 COUNT 3");
        check("min max uid", &[7, 9, 3800], &[], " UID MIN 7 MAX 3800");
        check("min max all count", &[], &[], " COUNT 0");
        check("min max all", &[], &[], "");
        // RFC 4731 §3.2: the examples.
        let modseqs = [917_162_488, 917_162_500, 907_162_321];
        check("min", &[2, 5, 23], &modseqs, " MIN 2 MODSEQ 917162488");
        check("max", &[2, 5, 23], &modseqs, " MAX 23 MODSEQ 907162321");
        check("min max", &[2, 5, 23], &modseqs, " MIN 2 MAX 23 MODSEQ 917162488");
        check("min count", &[2, 5, 23], &modseqs, " MIN 2 COUNT 3 MODSEQ 917162500");
        check(
            "all",
            &[5, 3, 2, 1],
            &[1234, 1236, 1235, 1234],
            " ALL 5,3,2,1 MODSEQ 1236",
        );
        // RFC 9394 §3.1.
        check("partial 2:3 uid", &[7, 9, 10, 12], &[], " UID PARTIAL (2:3 9:10)");
        check("partial -1:-100", &[7, 9], &[], " PARTIAL (-1:-100 7,9)");
        check("partial 3:4 count", &[7, 9], &[], " PARTIAL (3:4 NIL) COUNT 2");
        check(
            "partial 2:3",
            &[2, 5, 23],
            &modseqs,
            " PARTIAL (2:3 5,23) MODSEQ 917162500",
        );
        check(
            "min partial 3:3",
            &[2, 5, 23],
            &modseqs,
            " MIN 2 PARTIAL (3:3 23) MODSEQ 917162488",
        );
        check("partial 4:5", &[2, 5, 23], &modseqs, " PARTIAL (4:5 NIL)");
    }

    #[test]
    fn updates() {
        let mut out = Vec::new();
        write_update(
            &mut out,
            b"C01",
            true,
            "ADDTO",
            &[(1, vec![2731, 2732]), (9, vec![5, 3])],
        );
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "* ESEARCH (TAG \"C01\") UID ADDTO (1 2731:2732 9 5,3)\r\n");
    }
}
