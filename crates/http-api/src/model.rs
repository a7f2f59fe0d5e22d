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

/// `local-part@domain`.
pub(crate) fn address(entry: &AddressEntry) -> Option<String> {
    let (mailbox, host) = (entry.mailbox.as_ref()?, entry.host.as_ref()?);
    Some(format!(
        "{}@{}",
        String::from_utf8_lossy(mailbox),
        String::from_utf8_lossy(host)
    ))
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
