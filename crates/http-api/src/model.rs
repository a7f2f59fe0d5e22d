//! What the dialects share: how times and addresses look.

use postroom_types::AddressEntry;

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn time(ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{timestamp:.3}")
}

/// The addresses of a header field, without the groups around them.
pub(crate) fn addresses(entries: Option<&Vec<AddressEntry>>) -> Vec<String> {
    entries.into_iter().flatten().filter_map(address).collect()
}

/// `local-part@domain`. `None` for what is a name alone.
pub(crate) fn address(entry: &AddressEntry) -> Option<String> {
    let (mailbox, host) = (entry.mailbox.as_ref()?, entry.host.as_ref()?);
    if mailbox.is_empty() && host.is_empty() {
        return None;
    }
    Some(format!(
        "{}@{}",
        String::from_utf8_lossy(mailbox),
        String::from_utf8_lossy(host)
    ))
}

/// Octets in text that stands anywhere.
pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets
        .iter()
        .fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
            // Writing to a String does not fail.
            let _ = write!(text, "{octet:02x}");
            text
        })
}

/// What [`hex`] wrote.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let octet = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
    }
}
