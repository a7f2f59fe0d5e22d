//! Where something is on the server.
//!
//! What always holds: what a user names stays within its segment of the path, whatever is in it.

use super::Result;
use super::failure::Failure;

/// The segments of a path.
#[derive(Clone, Debug)]
pub(super) struct Place(Vec<String>);

impl Place {
    /// A place of the AgentMail API, with which most commands talk.
    pub(super) fn v0(segments: &[&str]) -> Self {
        Self(vec!["v0".to_owned()]).then(segments)
    }

    /// A place of the MyAgentMail API.
    pub(super) fn v1(segments: &[&str]) -> Self {
        Self(vec!["v1".to_owned()]).then(segments)
    }

    /// A place of postroom's own API.
    pub(super) fn own(segments: &[&str]) -> Self {
        Self(vec!["postroom".to_owned(), "v1".to_owned()]).then(segments)
    }

    /// A place of the Inkbox API.
    pub(super) fn inkbox(segments: &[&str]) -> Self {
        Self(vec!["api".to_owned(), "v1".to_owned()]).then(segments)
    }

    /// A place below it.
    pub(super) fn then(mut self, segments: &[&str]) -> Self {
        self.0.extend(segments.iter().map(|segment| (*segment).to_owned()));
        self
    }

    /// As a path. An empty segment, `.` and `..` would lead elsewhere (RFC 3986 §5.2.4), and are the name of nothing.
    pub(super) fn path(&self) -> Result<String> {
        let mut path = String::new();
        for segment in &self.0 {
            if ["", ".", ".."].contains(&segment.as_str()) {
                return Err(Failure::not_found(format!("nothing is called {segment:?}")));
            }
            path.push('/');
            path.push_str(&escaped(segment));
        }
        Ok(path)
    }
}

/// A value as a segment of a path or in a query: what means something there is escaped (RFC 3986 §2).
pub(super) fn escaped(value: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'@' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_segment() {
        for (name, expected) in [
            ("scout@example.test", Some("/v0/pods/scout@example.test/keys")),
            (
                "<a/b?c=d&e#f%@g>",
                Some("/v0/pods/%3Ca%2Fb%3Fc%3Dd%26e%23f%25@g%3E/keys"),
            ),
            ("ü", Some("/v0/pods/%C3%BC/keys")),
            ("...", Some("/v0/pods/.../keys")),
            ("..", None),
            (".", None),
            ("", None),
        ] {
            let path = Place::v0(&["pods", name]).then(&["keys"]).path().ok();
            assert_eq!(path.as_deref(), expected, "{name:?}");
        }
        assert_eq!(Place::own(&["a"]).path().ok().as_deref(), Some("/postroom/v1/a"));
        assert_eq!(Place::inkbox(&["a"]).path().ok().as_deref(), Some("/api/v1/a"));
        assert_eq!(Place::v1(&["a"]).path().ok().as_deref(), Some("/v1/a"));
    }
}
