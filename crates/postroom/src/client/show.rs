//! Answers as tables for people, or as JSON for scripts.

use super::Result;
use super::api::Api;
use super::table::Table;
use super::width::{clipped, width};
use serde_json::{Value, json};
use std::io::Write;

/// Columns of a cell; who wants all of it asks for JSON.
const CELL: usize = 60;
/// What is told in full: ids and addresses are there to be copied.
const UNCLIPPED: [&str; 8] = [
    "url",
    "value",
    "name",
    "entry",
    "address",
    "agent_handle",
    "email_address",
    "match_target",
];

/// How an answer is shown to people.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    /// One thing, field by field.
    Fields,
    /// These of its fields, as far as it has them.
    Chosen(&'static [&'static str]),
    /// Things below each other.
    Table(&'static Table),
    /// A message, as it would be read.
    Message,
    /// A thread with its messages.
    Thread,
    /// Series of points, by their names.
    Series(&'static [&'static str]),
}

/// Prints an answer.
pub(super) fn print(api: &Api, answer: &Value, shown: &Shown) -> Result<()> {
    let text = match (api.json, answer, shown) {
        (true, Value::Null, _) => "{}\n".to_owned(),
        (true, _, _) => format!("{answer}\n"),
        (false, Value::Null, _) => String::new(),
        (false, _, Shown::Table(shown)) if answer[shown.rows].is_array() => {
            table(items(&answer[shown.rows]), shown.columns)
        }
        (false, _, Shown::Fields | Shown::Table(_)) => fields(answer, 0),
        (false, _, Shown::Chosen(names)) => chosen(answer, names),
        (false, _, Shown::Message) => message(answer),
        (false, _, Shown::Thread) => thread(answer),
        (false, _, Shown::Series(columns)) => series(answer, columns),
    };
    copy(text.as_bytes())
}

/// Writes what came as it is.
pub(super) fn copy(bytes: &[u8]) -> Result<()> {
    std::io::stdout().write_all(bytes)?;
    Ok(())
}

/// The items of a list; of what is none, none.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn table(rows: &[Value], columns: &[&str]) -> String {
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|column| column.to_uppercase()).collect()];
    let row = |row: &Value| columns.iter().map(|column| cell(column, &row[*column])).collect();
    cells.extend(rows.iter().map(row));
    let widest = |column: usize| cells.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let line = |row: &Vec<String>| {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, columns)| format!("{cell}{}", " ".repeat(columns - width(cell))));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    cells.iter().map(line).collect()
}

fn cell(column: &str, value: &Value) -> String {
    let text = one_line(&printable(value));
    match UNCLIPPED.contains(&column) || column.ends_with("id") {
        true => text,
        false => clipped(&text, CELL),
    }
}

fn fields(value: &Value, indent: usize) -> String {
    let Some(all) = value.as_object() else {
        return format!("{}\n", printable(value));
    };
    let pad = " ".repeat(indent);
    let line = |(key, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{pad}{key}:\n{}", fields(value, indent + 2)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items = items.iter().map(|item| fields(item, indent + 2));
            // An empty line between two, so that one sees where each begins.
            format!("{pad}{key}:\n{}", items.collect::<Vec<_>>().join("\n"))
        }
        _ => format!("{pad}{key}: {}\n", printable(value)),
    };
    all.iter().map(line).collect()
}

fn chosen(answer: &Value, names: &[&str]) -> String {
    let lines = names.iter().filter_map(|name| Some((name, answer.get(name)?)));
    lines
        .map(|(name, value)| format!("{name}: {}\n", one_line(&printable(value))))
        .collect()
}

/// What is told above the text of a message, if it is there.
const HEAD: [(&str, &str); 10] = [
    ("From", "from"),
    ("To", "to"),
    ("Cc", "cc"),
    ("Bcc", "bcc"),
    ("Reply-To", "reply_to"),
    ("Date", "timestamp"),
    ("Subject", "subject"),
    ("Labels", "labels"),
    ("Message", "message_id"),
    ("Thread", "thread_id"),
];

fn message(message: &Value) -> String {
    let mut text = String::new();
    for (name, field) in HEAD {
        let value = one_line(&printable(&message[field]));
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    for file in items(&message["attachments"]) {
        let value = |field| one_line(&printable(&file[field]));
        let about = ["filename", "content_type", "size", "attachment_id"].map(value);
        text.push_str(&format!("Attachment: {}\n", about.join("  ").trim_start()));
    }
    let body = ["text", "html", "preview"].map(|field| printable(&message[field]));
    if let Some(body) = body.iter().find(|body| !body.is_empty()) {
        text.push_str(&format!("\n{}\n", body.replace("\r\n", "\n").trim_end_matches('\n')));
    }
    text
}

fn thread(thread: &Value) -> String {
    let messages = items(&thread["messages"]).iter().map(message);
    messages.collect::<Vec<_>>().join("\n----\n")
}

fn series(answer: &Value, columns: &[&str]) -> String {
    let mut rows = Vec::new();
    for (name, points) in answer.as_object().into_iter().flatten() {
        for point in items(points) {
            let mut row = point.clone();
            row["type"] = json!(name);
            rows.push(row);
        }
    }
    table(&rows, columns)
}

/// A value for people; control characters of foreign mail must not reach the terminal, nor what turns the direction
/// of the text round.
pub(super) fn printable(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items = items.iter().filter_map(Value::as_str);
            items.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let harmless = |c: char| match c {
        '\n' => c,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        _ if c.is_control() => ' ',
        _ => c,
    };
    text.replace("\r\n", "\n").chars().map(harmless).collect()
}

/// The same without line ends.
pub(super) fn one_line(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_fields() {
        let rows = [
            json!({"id": "1", "name": "a\u{1b}[31m", "labels": ["x", "y"]}),
            json!({"id": "日本", "name": null, "labels": []}),
        ];
        let expected = "ID    NAME    LABELS\n1     a [31m  x, y\n日本\n";
        assert_eq!(table(&rows, &["id", "name", "labels"]), expected);
        assert_eq!(fields(&json!({"a": {"b": 1}, "c": "d"}), 0), "a:\n  b: 1\nc: d\n");
        assert_eq!(
            fields(
                &json!({"a": [{"b": 1, "c": [{"d": 2}]}, {"b": 3}], "e": [4, 5], "f": ["x"]}),
                0
            ),
            "a:\n  b: 1\n  c:\n    d: 2\n\n  b: 3\ne: [4,5]\nf: x\n"
        );
    }

    #[test]
    fn some_fields() {
        let answer = json!({ "b": 1, "a": "x\ny", "c": null, "d": 2 });
        assert_eq!(chosen(&answer, &["a", "b", "c", "z"]), "a: x y\nb: 1\nc: \n");
    }

    #[test]
    fn a_cell_has_one_line_and_an_end() {
        let long = "x".repeat(100);
        let rows = [json!({"subject": format!("a\nb\u{202e}{long}"), "message_id": long})];
        let text = table(&rows, &["message_id", "subject"]);
        let line = text.lines().nth(1).expect("a row");
        assert!(
            line.starts_with(&format!("{long}  a b x")) && line.ends_with('…'),
            "{line}"
        );
        assert_eq!(width(line), 100 + 2 + CELL);
    }

    #[test]
    fn a_message_reads_like_one() {
        let view = json!({
            "from": "Zo\u{eb} <z@example.net>", "to": ["a@b", "c@d"], "cc": [], "subject": "Hi\r\nBcc: x",
            "message_id": "<1@x>", "text": "one\r\ntwo\u{7}\n\n",
            "attachments": [{ "attachment_id": "7.1", "filename": "a.txt", "content_type": "text/plain", "size": 8 }],
        });
        let expected = "From: Zo\u{eb} <z@example.net>\nTo: a@b, c@d\nSubject: Hi Bcc: x\nMessage: <1@x>\n\
                        Attachment: a.txt  text/plain  8  7.1\n\none\ntwo \n";
        assert_eq!(message(&view), expected);
        let two = thread(&json!({ "messages": [{ "from": "a" }, { "from": "b", "html": "<p>" }] }));
        assert_eq!(two, "From: a\n\n----\nFrom: b\n\n<p>\n");
    }

    #[test]
    fn series_are_one_table() {
        let answer = json!({ "b": [{ "timestamp": "T1", "count": 2 }], "a": [{ "timestamp": "T0", "count": 1 }] });
        let text = series(&answer, &["type", "timestamp", "count"]);
        assert_eq!(text, "TYPE  TIMESTAMP  COUNT\na     T0         1\nb     T1         2\n");
    }
}
