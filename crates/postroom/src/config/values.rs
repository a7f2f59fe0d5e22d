//! Values of more than one kind of key, each with what is said when it is wrong.

use super::reader::{list, number, octets, text, wrong};
use postroom_types::Domain;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

/// A host name or mail domain.
pub(super) fn host_name(text: &str) -> Result<Domain, String> {
    let domain = Domain::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
    if domain.is_literal() {
        Err(format!("`{text}` is an address, not a name"))
    } else {
        Ok(domain)
    }
}

pub(super) fn domain(value: &DeValue<'_>) -> Result<Option<Domain>, String> {
    host_name(&text(value)?).map(Some)
}

pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

/// A path that means the same wherever the server is started from.
pub(super) fn absolute_path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = path(value)?;
    match path.is_absolute() {
        true => Ok(path),
        false => Err(format!("`{}` must begin with /", path.display())),
    }
}

/// A size that is not nothing.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, String> {
    match octets(value)? {
        0 => Err("must not be 0".to_owned()),
        octets => Ok(octets),
    }
}

/// What is logged: directives such as `info` or `postroom_queue=debug`, with commas between.
pub(super) fn log_filter(value: &DeValue<'_>) -> Result<String, String> {
    let filter = text(value)?;
    match EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(format!("`{filter}`: {error}")),
    }
}

/// For keys without a default.
pub(super) fn optional_text(value: &DeValue<'_>) -> Result<Option<String>, String> {
    text(value).map(Some)
}

/// `http://` or `https://` and a host, perhaps with a path.
pub(super) fn http_url(value: &DeValue<'_>) -> Result<Option<String>, String> {
    let url = text(value)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(Some(url)),
        _ => Err(format!("{url:?} is not a URL such as \"https://mail.example.org\"")),
    }
}

pub(super) fn port(value: &DeValue<'_>) -> Result<u16, String> {
    u16::try_from(number(value)?)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| "not a port".to_owned())
}

/// A number that must not be 0.
pub(super) fn count(value: &DeValue<'_>) -> Result<usize, String> {
    match any_count(value)? {
        0 => Err("must be at least 1".to_owned()),
        count => Ok(count),
    }
}

/// A number that may be 0.
pub(super) fn any_count(value: &DeValue<'_>) -> Result<usize, String> {
    usize::try_from(number(value)?).map_err(|_| "out of range".to_owned())
}

pub(super) fn number_u32(value: &DeValue<'_>) -> Result<u32, String> {
    u32::try_from(number(value)?).map_err(|_| "out of range".to_owned())
}

/// Memory that cannot do its work with next to nothing, in octets; `None` for the word `"auto"`.
pub(super) fn cache(value: &DeValue<'_>) -> Result<Option<u64>, String> {
    if value.as_str() == Some("auto") {
        return Ok(None);
    }
    match octets(value)? {
        octets if octets < 1 << 20 => Err("must be at least 1 MiB".to_owned()),
        octets => Ok(Some(octets)),
    }
}

/// A time such as `"4 h"`.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    let text = value.as_str().ok_or_else(|| wrong("a time such as \"4 h\"", value))?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => return Err(format!("unknown unit `{other}`: use s, min, h or d")),
    };
    let number = digits
        .trim()
        .parse::<u64>()
        .map_err(|_| "not a time: use for example \"4 h\"".to_owned())?;
    let seconds = number.checked_mul(unit).filter(|seconds| *seconds <= MAX_SECONDS);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "out of range".to_owned())
}

/// A time that is not nothing.
pub(super) fn span(value: &DeValue<'_>) -> Result<Duration, String> {
    duration(value).and_then(|span| {
        if span.is_zero() {
            Err("must not be 0".to_owned())
        } else {
            Ok(span)
        }
    })
}

/// A hundred years: sums of times stay far from the end of every type.
const MAX_SECONDS: u64 = 100 * 366 * 86_400;

pub(super) fn addresses(value: &DeValue<'_>) -> Result<Vec<SocketAddr>, String> {
    list(value, |text| {
        text.parse()
            .map_err(|_| format!("`{text}` is not an address with a port, such as \"[::]:25\""))
    })
}

pub(super) fn ip_addresses(value: &DeValue<'_>) -> Result<Vec<IpAddr>, String> {
    list(value, |text| {
        text.parse().map_err(|_| format!("`{text}` is not an IP address"))
    })
}

/// One of a few words.
pub(super) fn word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, String> {
    let given = text(value)?;
    let found = words.iter().find(|(word, _)| *word == given);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("`{given}` is none of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn caches() {
        for (text, expected) in [
            ("auto", Some(None)),
            ("96 MiB", Some(Some(96 << 20))),
            ("1024 KiB", Some(Some(1 << 20))),
            ("1023 KiB", None),
            ("0", None),
            ("automatic", None),
        ] {
            assert_eq!(cache(&DeValue::String(Cow::Borrowed(text))).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("5 d", Some(432_000)),
            ("4h", Some(14_400)),
            ("90 min", Some(5400)),
            ("0 s", Some(0)),
            ("5", None),
            ("d", None),
            ("-1 d", None),
            ("5 days", None),
            ("99999999999999999999 s", None),
            ("999999999999 d", None),
        ] {
            let read = duration(&DeValue::String(Cow::Borrowed(text))).ok();
            assert_eq!(read, expected.map(Duration::from_secs), "{text}");
        }
    }
}
