use super::*;

fn complaints(text: &str) -> Vec<(usize, String)> {
    let mut reader = Reader::new(text);
    Config::read(&mut reader);
    reader
        .complaints
        .into_iter()
        .map(|complaint| (complaint.line, complaint.text))
        .collect()
}

#[test]
fn all_errors_at_once_with_their_lines() {
    let found = complaints(
        "hostname = 5\nport = 1\n[listen]\nimap = [\"nonsense\"]\n[limits]\nmessage = \"5 MB\"\nconnections = 0\n[what]\nx = 1\n",
    );
    let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [0, 1, 2, 4, 6, 7, 8, 9], "{found:#?}");
    assert!(found[2].1.contains("unknown key `port`"), "{found:?}");
    assert!(found[4].1.contains("unknown unit `MB`"), "{found:?}");
}

#[test]
fn syntax_errors_have_lines() {
    let found = complaints("hostname = \"a.example\"\nx = = 1\n");
    assert!(
        found.iter().all(|(line, _)| *line == 2) && !found.is_empty(),
        "{found:?}"
    );
}

#[test]
fn sizes() {
    let mut reader = Reader::new(
        "hostname = \"mx.example.org\"\n[limits]\nmessage = \"2 MiB\"\ninbox = 1_000\nimport_file = \"1 GiB\"\nimport_waiting = \"1 GiB\"\n",
    );
    let Config { limits, domains, .. } = Config::read(&mut reader);
    assert_eq!(reader.complaints, []);
    assert_eq!((limits.message_octets, limits.inbox_octets), (2 << 20, 1000));
    let imports = (
        limits.import_octets,
        limits.import_unpacked_octets,
        limits.import_waiting_octets,
    );
    assert_eq!(imports, (1 << 30, 8 << 30, 1 << 30));
    assert_eq!(domains, [Domain::parse("example.org").unwrap()]);
}

#[test]
fn what_waits_has_room_for_the_largest_file() {
    let found = complaints("hostname = \"a.example\"\n[limits]\nimport_file = \"9 GiB\"\n");
    assert!(
        found.len() == 1 && found[0].1.contains("`limits.import_waiting`"),
        "{found:?}"
    );
}

/// `config/postroom.toml` shows every key, commented out, with its default, and nothing else.
#[test]
fn the_documented_file_is_the_code() {
    let documented = include_str!("../../../../config/postroom.toml");
    let mut section = String::new();
    let mut shown = Vec::new();
    for line in documented.lines() {
        let table = line.strip_prefix("#[[").and_then(|rest| rest.strip_suffix("]]"));
        if let Some(name) = table.or_else(|| line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))) {
            section = format!("{name}.");
        } else if let Some((key, default)) = line.strip_prefix('#').and_then(|rest| rest.split_once(" = "))
            && !key.starts_with(' ')
        {
            shown.push((format!("{section}{key}"), default.to_owned()));
        }
    }
    let mut reader = Reader::new("");
    Config::read(&mut reader);
    let mut known: Vec<_> = reader.known.into_iter().map(|key| (key.path, key.default)).collect();
    shown.sort();
    known.sort();
    assert_eq!(shown, known);
    let uncommented: String = documented
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(complaints(&uncommented), []);
}

#[test]
fn what_cannot_work_is_told() {
    for (text, line, expected) in [
        ("data_dir = \"var\"", 2, "`var` must begin with /"),
        ("[limits]\ninbox = 0", 3, "limits.inbox: must not be 0"),
        ("[limits]\nmessage = \"0 MiB\"", 3, "limits.message: must not be 0"),
        (
            "[log]\nfilter = \"info,postroom=loud\"",
            3,
            "log.filter: `info,postroom=loud`",
        ),
        (
            "[listen]\nhttp = [\"127.0.0.1:8080\"]\nimap = [\"127.0.0.1:8080\"]",
            0,
            "two services of `[listen]` have the address 127.0.0.1:8080",
        ),
        ("[listen]\nimap = [\"[::]:25\"]", 0, "have the address [::]:25"),
    ] {
        let found = complaints(&format!("hostname = \"a.example\"\n{text}\n"));
        assert!(
            found.len() == 1 && found[0].0 == line && found[0].1.contains(expected),
            "{text}: {found:?}"
        );
    }
    let any_port = "hostname = \"a.example\"\n[listen]\nhttp = [\"127.0.0.1:0\"]\nimap = [\"127.0.0.1:0\"]\n";
    assert_eq!(complaints(any_port), []);
}
