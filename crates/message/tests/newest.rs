//! The new content of replies, on a corpus of what mail programs write in many languages.

use postroom_message::{extract_html, extract_text};
use proptest::prelude::*;
use std::fs;
use std::time::{Duration, Instant};

/// What separates what is given from what is expected, in the files of `tests/reply`.
const SEPARATOR: &str = "\n\n=== new ===\n";

#[test]
fn replies() {
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reply")).unwrap() {
        let path = entry.unwrap().path();
        let case = fs::read_to_string(&path).unwrap();
        let (given, expected) = case.split_once(SEPARATOR).unwrap();
        let found = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => extract_html(given),
            _ => extract_text(given),
        };
        // Files end with a line end, what is expected does not.
        if found.trim_end_matches('\n') != expected.trim_end_matches('\n') {
            failed.push(format!("{}\n{expected:?}\n{found:?}", path.display()));
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 80);
}

/// Pieces that the cut looks at, in an order that makes no sense.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("On Sat, 21 Nov 2026 at 10:02, Bob <bob@example.com> wrote:\n"),
        Just("> quoted\n"),
        Just("-- \n"),
        Just("From: a@b\nSent: 21 Nov 2026\nTo: c\nSubject: d\n"),
        Just("---------- Forwarded message ---------\n"),
        Just("-----Original Message-----\n"),
        Just("Sent from my iPhone\n"),
        Just("новое\n"),
        Just("\n"),
        Just("<div>"),
        Just("</div>"),
        Just("<div class=gmail_quote>"),
        Just("<blockquote type=cite>"),
        Just("</blockquote>"),
        Just("<p>"),
        Just("<br>"),
        Just("<div id=appendonsend></div>"),
        Just("<pre>"),
        Just("</pre>"),
        Just("&nbsp;&gt; "),
        Just("<!--"),
        Just("<a title=\""),
        Just("一：\u{3000}"),
    ];
    prop::collection::vec(prop_oneof![8 => piece.prop_map(str::to_owned), 1 => ".{0,8}"], 0..40)
        .prop_map(|pieces| pieces.concat())
}

/// Whether the characters of one text stand in the other, in that order.
fn is_within(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().all(|c| rest.any(|other| other == c))
}

proptest! {
    #[test]
    fn nothing_is_made_up(mail in soup()) {
        prop_assert!(is_within(&extract_text(&mail), &mail));
        prop_assert!(is_within(&extract_html(&mail), &mail));
    }

    #[test]
    fn text_without_marks_stays(mail in "([a-z ,.é]{0,20}\n){0,8}") {
        prop_assert_eq!(&*extract_text(&mail), &mail);
        prop_assert_eq!(&*extract_html(&mail), &mail);
    }

    #[test]
    fn tags_keep_their_partners(answer in "[a-z &;]{0,30}") {
        let mail = format!("<div><b>{answer}</b></div><i>x<div id=\"appendonsend\"></div><p>old</p></i>");
        let found = extract_html(&mail);
        for name in ["div", "b", "i", "p"] {
            let (open, close) = (format!("<{name}"), format!("</{name}>"));
            let unpaired = |text: &str| text.matches(&open).count() as i64 - text.matches(&close).count() as i64;
            prop_assert_eq!(unpaired(&found), 0, "{}", found);
        }
    }
}

/// What takes longest still takes less than what a square of its length would.
#[test]
fn time_is_linear() {
    for piece in [
        "Bob wrote:\n",
        "On 21 Nov 2026 at 10:02, Bob <bob@example.com> wrote:\n\n",
        "> a\nb\n",
        "> a\n\n",
        "\n",
        "-- \n",
        "Sent from my iPhone\n",
        "From: a@b\n",
        "--",
        ":",
        "1.2.",
        "<div>",
        "</div>",
        "<div>a</div>",
        "<div><br></div>&nbsp;",
        "<blockquote type=cite>a<br>",
        "<blockquote>On 21 Nov 2026 at 10:02, Bob <bob@example.com> wrote:<br>",
        "<p><i>",
        "<td></td> ",
        "<pre>\n",
        "<a title=\"",
        "<!--",
        "<script>",
        "&",
        "&amp;",
        "<a b c d e f g h=",
        "<div id=appendonsend>",
        "<img><br>",
    ] {
        for head in [
            "",
            "Hello\n<br>\n",
            "On 21 Nov 2026 at 10:02, Bob <bob@example.com> wrote:\n<blockquote type=cite>",
        ] {
            let mail = format!("{head}{}", piece.repeat((1 << 15) / piece.len()));
            let start = Instant::now();
            let _ = (extract_text(&mail), extract_html(&mail));
            assert!(start.elapsed() < Duration::from_secs(3), "{piece:?} after {head:?}");
        }
    }
}
