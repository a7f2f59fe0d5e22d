//! Answers as tables for people, or as JSON for scripts.

use crate::Outcome;
use serde_json::Value;
use std::io::Write;

/// Prints an answer: a list under `list` as a table of `columns`, anything else as `key: value` lines.
pub(crate) fn print(answer: &Value, json: bool, list: &str, columns: &[&str]) -> Outcome<()> {
    let text = match (json, answer[list].as_array()) {
        (true, _) => format!("{answer}\n"),
        (false, Some(rows)) => table(rows, columns),
        (false, None) => lines(answer, 0),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Writes what came as it is.
pub(crate) fn copy(bytes: &[u8]) -> Outcome<()> {
    std::io::stdout().write_all(bytes)?;
    Ok(())
}

fn table(rows: &[Value], columns: &[&str]) -> String {
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|column| column.to_uppercase()).collect()];
    cells.extend(
        rows.iter()
            .map(|row| columns.iter().map(|column| printable(&row[*column])).collect()),
    );
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    cells.iter().map(line).collect()
}

fn lines(value: &Value, indent: usize) -> String {
    let Some(fields) = value.as_object() else {
        return format!("{}\n", printable(value));
    };
    let pad = " ".repeat(indent);
    let line = |(key, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{pad}{key}:\n{}", lines(value, indent + 2)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items = items.iter().map(|item| lines(item, indent + 2));
            // An empty line between two, so that one sees where each begins.
            format!("{pad}{key}:\n{}", items.collect::<Vec<_>>().join("\n"))
        }
        _ => format!("{pad}{key}: {}\n", printable(value)),
    };
    fields.iter().map(line).collect()
}

/// A value on one line; control characters of foreign mail must not reach the terminal.
pub(crate) fn printable(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_and_fields() {
        let rows = [
            json!({"id": "1", "name": "a\u{1b}[31m"}),
            json!({"id": "22", "name": null}),
        ];
        assert_eq!(table(&rows, &["id", "name"]), "ID  NAME\n1   a [31m\n22\n");
        assert_eq!(lines(&json!({"a": {"b": 1}, "c": "d"}), 0), "a:\n  b: 1\nc: d\n");
        assert_eq!(
            lines(&json!({"a": [{"b": 1, "c": [{"d": 2}]}, {"b": 3}], "e": [4, 5]}), 0),
            "a:\n  b: 1\n  c:\n    d: 2\n\n  b: 3\ne: [4,5]\n"
        );
    }
}
