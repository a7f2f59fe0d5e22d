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
    fn modseq(&self, options: ReturnOptions) -> Option<ModSeq> {
        if !options.only_ends() {
            return self.modseqs.iter().max().copied();
        }
        let min = self.modseqs.first().filter(|_| options.min);
        let max = self.modseqs.last().filter(|_| options.max);
        min.max(max).copied()
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

/// `* ESEARCH (TAG "a") UID MIN 2 MAX 8 ALL 2,5:8 COUNT 5 MODSEQ 9`; of nothing only COUNT is told. A tag is made of
/// characters that need no quoting.
pub(crate) fn write_esearch(out: &mut Vec<u8>, tag: &[u8], by_uid: bool, options: ReturnOptions, results: &Results) {
    out.extend_from_slice(b"* ESEARCH (TAG \"");
    out.extend_from_slice(tag);
    out.extend_from_slice(if by_uid { b"\") UID" } else { b"\")" });
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
    if options.count {
        out.extend_from_slice(b" COUNT ");
        write_number(out, numbers.len() as u64);
    }
    if let Some(highest) = results.modseq(options) {
        out.extend_from_slice(format!(" MODSEQ {highest}").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        let check = |wanted: &str, numbers: &[u32], modseqs: &[u64], expected: &str| {
            let options = ReturnOptions {
                min: wanted.contains("min"),
                max: wanted.contains("max"),
                all: wanted.contains("all"),
                count: wanted.contains("count"),
                save: false,
            };
            let results = Results {
                numbers: numbers.to_vec(),
                modseqs: modseqs.iter().copied().map(ModSeq).collect(),
            };
            let mut out = Vec::new();
            write_esearch(&mut out, b"a", wanted.contains("uid"), options, &results);
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
    }
}
