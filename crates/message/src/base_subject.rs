//! The base subject (RFC 5256 §2.1): what is left of a subject without the marks of replies and forwards.

/// What is left of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// The base subject, in the case in which it is written.
    pub text: String,
    /// Whether the subject is that of a reply or forward: `re:` and the like, `(fwd)` or `[fwd: …]` was removed
    /// (RFC 5256 §3, REFERENCES).
    pub is_reply: bool,
}

/// The base subject of a decoded subject; time grows with the square of its length at worst, so the caller bounds that.
#[must_use]
pub fn base_subject(decoded: &str) -> BaseSubject {
    let spaced = single_spaces(decoded);
    let mut rest = spaced.as_str();
    let mut is_reply = false;
    loop {
        rest = without_trailers(rest, &mut is_reply);
        loop {
            let before = rest.len();
            rest = without_leaders(rest, &mut is_reply);
            rest = without_blob(rest);
            if rest.len() == before {
                break;
            }
        }
        match forwarded(rest) {
            Some(inner) => {
                is_reply = true;
                rest = inner;
            }
            None => break,
        }
    }
    BaseSubject {
        text: rest.to_owned(),
        is_reply,
    }
}

/// (1) Tabs and continuations are spaces, several spaces are one.
fn single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if matches!(c, '\t' | '\r' | '\n') { ' ' } else { c };
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

fn strip_prefix_in_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix_in_any_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(rest)
}

/// (2) subj-trailer = "(fwd)" / WSP
fn without_trailers<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_end_matches(' ');
        match strip_suffix_in_any_case(text, "(fwd)") {
            Some(rest) => {
                *is_reply = true;
                text = rest;
            }
            None => return text,
        }
    }
}

/// (3) subj-leader = (*subj-blob subj-refwd) / WSP
fn without_leaders<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_start_matches(' ');
        let mut after_blobs = text;
        while let Some(rest) = strip_blob(after_blobs) {
            after_blobs = rest;
        }
        match strip_refwd(after_blobs) {
            Some(rest) => {
                *is_reply = true;
                text = rest;
            }
            None => return text,
        }
    }
}

/// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
fn strip_refwd(text: &str) -> Option<&str> {
    // The longest first: "fwd" begins with "fw".
    let word = ["re", "fwd", "fw"]
        .iter()
        .find_map(|word| strip_prefix_in_any_case(text, word))?;
    let rest = word.trim_start_matches(' ');
    strip_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// subj-blob = "[" *BLOBCHAR "]" *WSP; a BLOBCHAR is no bracket.
fn strip_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner[end..].strip_prefix(']')?.trim_start_matches(' '))
}

/// (4) A blob goes if something is left without it.
fn without_blob(text: &str) -> &str {
    strip_blob(text).filter(|rest| !rest.is_empty()).unwrap_or(text)
}

/// (6) `[fwd: …]`
fn forwarded(text: &str) -> Option<&str> {
    strip_prefix_in_any_case(text, "[fwd:")?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_subjects() {
        for (subject, text, is_reply) in [
            ("", "", false),
            ("hello", "hello", false),
            (" a\t b \r\n  c ", "a b c", false),
            ("Re: hello", "hello", true),
            ("RE: re : Fw:FWD: hello", "hello", true),
            ("re [2]: hello", "hello", true),
            ("re[2] : hello", "hello", true),
            ("re[a] [b]: hello", "re[a] [b]: hello", false),
            ("hello (fwd)", "hello", true),
            ("hello (FWD) (fwd) ", "hello", true),
            ("(fwd)", "", true),
            ("[list] hello", "hello", false),
            ("[list] [other] hello", "hello", false),
            ("[list] Re: [list] hello", "hello", true),
            ("Re: [list]", "[list]", true),
            ("[list]", "[list]", false),
            ("[list] [other]", "[other]", false),
            ("[list] re:", "", true),
            ("[fwd: hello]", "hello", true),
            ("[Fwd: Re: [list] hello (fwd)] (fwd)", "hello", true),
            ("[fwd: [fwd: hello] ]", "hello", true),
            ("[fwd: hello", "[fwd: hello", false),
            ("[fwd:]", "", true),
            ("[a[b] hello", "[a[b] hello", false),
            ("[a]b] hello", "b] hello", false),
            ("rex: hello", "rex: hello", false),
            ("re hello", "re hello", false),
            ("reading: x", "reading: x", false),
            ("fwd hello", "fwd hello", false),
            ("Re: é [x]", "é [x]", true),
            ("ré: x", "ré: x", false),
            ("Re: (fwd)", "", true),
            ("[x] (fwd)", "[x]", true),
        ] {
            let expected = BaseSubject {
                text: text.to_owned(),
                is_reply,
            };
            assert_eq!(base_subject(subject), expected, "{subject:?}");
        }
    }

    proptest! {
        #[test]
        fn a_base_subject_is_its_own(subject in "((re|fwd?|\\[fwd:|\\[x\\]|\\(fwd\\)|:|[ \\[\\]é]|a){0,12})") {
            let base = base_subject(&subject);
            let again = base_subject(&base.text);
            prop_assert_eq!(&again.text, &base.text);
            prop_assert!(!again.is_reply);
        }
    }
}
