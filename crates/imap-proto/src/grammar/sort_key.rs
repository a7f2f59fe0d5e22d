//! Criteria of SORT and the names of threading algorithms (RFC 5256 §5, RFC 5957 §4).

use super::{Bad, Parsed, Scanner};
use postroom_types::{SortBy, SortKey, ThreadAlgorithm};

/// Most criteria one SORT may name; those after all have been named once change nothing.
const CRITERIA: usize = 40;

/// `sort-criteria`: in parentheses, at least one.
pub(crate) fn sort_criteria(scanner: &mut Scanner<'_>) -> Parsed<Vec<SortKey>> {
    let mut keys = Vec::new();
    scanner.list(|scanner| {
        if keys.len() == CRITERIA {
            return Err(Bad("Too many sort criteria"));
        }
        let reverse = scanner.eat_ignoring_case(b"REVERSE ");
        let by = match scanner.atom()?.to_ascii_uppercase().as_slice() {
            b"ARRIVAL" => SortBy::Arrival,
            b"CC" => SortBy::Cc,
            b"DATE" => SortBy::Date,
            b"FROM" => SortBy::From,
            b"SIZE" => SortBy::Size,
            b"SUBJECT" => SortBy::Subject,
            b"TO" => SortBy::To,
            b"DISPLAYFROM" => SortBy::DisplayFrom,
            b"DISPLAYTO" => SortBy::DisplayTo,
            _ => return Err(Bad("Unknown sort criterion")),
        };
        keys.push(SortKey { by, reverse });
        Ok(())
    })?;
    Ok(keys)
}

/// `thread-alg`.
pub(crate) fn thread_algorithm(scanner: &mut Scanner<'_>) -> Parsed<ThreadAlgorithm> {
    match scanner.atom()?.to_ascii_uppercase().as_slice() {
        b"ORDEREDSUBJECT" => Ok(ThreadAlgorithm::OrderedSubject),
        b"REFERENCES" => Ok(ThreadAlgorithm::References),
        _ => Err(Bad("Unknown threading algorithm")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria() {
        let check = |text: &str, expected: Option<&str>| {
            let read = sort_criteria(&mut Scanner::new(text.as_bytes())).ok();
            let shown = read.map(|keys| {
                let shown = keys
                    .iter()
                    .map(|key| format!("{}{:?}", if key.reverse { "-" } else { "" }, key.by));
                shown.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(shown.as_deref(), expected, "{text}");
        };
        check("(SUBJECT)", Some("Subject"));
        check("(subject Reverse date)", Some("Subject -Date"));
        check("(REVERSE DISPLAYFROM TO)", Some("-DisplayFrom To"));
        for bad in [
            "",
            "()",
            "SUBJECT",
            "(REVERSE)",
            "(REVERSE REVERSE DATE)",
            "(RELEVANCY)",
            "(DATE",
            "(DATE )",
        ] {
            check(bad, None);
        }
        check(&format!("({}DATE)", "DATE ".repeat(40)), None);
    }
}
