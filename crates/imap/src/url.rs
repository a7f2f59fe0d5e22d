//! IMAP URLs that name a message or a part of one (RFC 5092 §5, RFC 2192), as CATENATE has them (RFC 4469 §3).

use postroom_imap_proto::{Section, SectionForm, SectionText};
use postroom_types::{Uid, UidValidity};

/// Most part numbers.
const LEVELS: usize = 128;

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageUrl {
    /// The mailbox; `None` is the selected one.
    pub(crate) mailbox: Option<String>,
    pub(crate) uid_validity: Option<UidValidity>,
    pub(crate) uid: Uid,
    pub(crate) section: Section,
}

impl MessageUrl {
    /// Reads a URL: relative, or absolute with this user and server. `None`: it is none of these, or not allowed, or names
    /// no message.
    pub(crate) fn parse(url: &str, user: &str, server: &str) -> Option<Self> {
        let path = own_path(url, user, server)?;
        let (mailbox, parameters) = path.split_once(';')?;
        let mailbox = mailbox.strip_prefix('/').unwrap_or(mailbox);
        let mailbox = mailbox.strip_suffix('/').unwrap_or(mailbox);
        let mut found = Found::default();
        for parameter in parameters.split(';') {
            let (name, value) = parameter.split_once('=')?;
            // What follows the last slash is the next parameter.
            found.add(name, value.strip_suffix('/').unwrap_or(value))?;
        }
        Some(Self {
            mailbox: Some(decode(mailbox)?).filter(|name| !name.is_empty()),
            uid_validity: found.uid_validity,
            uid: found.uid?,
            section: Section {
                partial: found.partial,
                ..found.section.unwrap_or(Section {
                    part: Vec::new(),
                    text: SectionText::All,
                    form: SectionForm::Body,
                    partial: None,
                })
            },
        })
    }
}

/// The path, which is all that a relative URL has (RFC 4469 §3); who and where else must be here.
fn own_path<'a>(url: &'a str, user: &str, server: &str) -> Option<&'a str> {
    let has_scheme = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("imap:"));
    let rest = if has_scheme { &url[5..] } else { url };
    let Some(rest) = rest.strip_prefix("//") else {
        return Some(rest).filter(|rest| !has_scheme && rest.starts_with(['/', ';']));
    };
    let (authority, path) = rest.split_at(rest.find('/')?);
    let (who, host) = authority.rsplit_once('@')?;
    let (who, _how) = who.split_once(';').unwrap_or((who, ""));
    let (host, _port) = host.split_once(':').unwrap_or((host, ""));
    let is_own = decode(who)?.eq_ignore_ascii_case(user) && host.eq_ignore_ascii_case(server);
    is_own.then_some(path)
}

/// The parameters, each at most once.
#[derive(Default)]
struct Found {
    uid_validity: Option<UidValidity>,
    uid: Option<Uid>,
    section: Option<Section>,
    partial: Option<(u64, u64)>,
}

impl Found {
    fn add(&mut self, name: &str, value: &str) -> Option<()> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("UIDVALIDITY") && self.uid_validity.is_none() && self.uid.is_none() {
            self.uid_validity = Some(UidValidity::new(number(value)?)?);
        } else if is("UID") && self.uid.is_none() {
            self.uid = Some(Uid::new(number(value)?)?);
        } else if is("SECTION") && self.section.is_none() && self.uid.is_some() {
            self.section = Some(section(&decode(value)?)?);
        } else if is("PARTIAL") && self.partial.is_none() && self.uid.is_some() {
            // RFC 5092 §11: without a length, all from there on.
            let (origin, octets) = match value.split_once('.') {
                Some((origin, octets)) => (number(origin)?, number(octets)?),
                None => (number(value)?, u64::MAX),
            };
            self.partial = Some((origin, octets));
        } else {
            return None;
        }
        Some(())
    }
}

/// A number without a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

/// `section-spec` of RFC 3501 §9.
fn section(text: &str) -> Option<Section> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (numbers, name) = text.split_at(digits);
    let numbers = match name.is_empty() {
        true => numbers,
        // A dot stands between them, unless there are no numbers.
        false if numbers.is_empty() => numbers,
        false => numbers.strip_suffix('.')?,
    };
    let mut part = Vec::new();
    for piece in numbers.split('.').filter(|_| !numbers.is_empty()) {
        part.push(number::<u32>(piece).filter(|number| *number > 0)?);
    }
    if part.len() > LEVELS {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let text = match upper.as_str() {
        "" => SectionText::All,
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" if !part.is_empty() => SectionText::Mime,
        _ => header_fields(&upper)?,
    };
    Some(Section {
        part,
        text,
        form: SectionForm::Body,
        partial: None,
    })
}

fn header_fields(text: &str) -> Option<SectionText> {
    let rest = text.strip_prefix("HEADER.FIELDS")?;
    let (not, rest) = match rest.strip_prefix(".NOT") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let names = rest.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let names: Vec<String> = names.split_ascii_whitespace().map(str::to_owned).collect();
    (!names.is_empty()).then_some(SectionText::HeaderFields { names, not })
}

/// Undoes percent encoding (RFC 3986 §2.1); the result has to be UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        // Two digits are one octet.
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<MessageUrl> {
        MessageUrl::parse(url, "scout@example.test", "mx.example.test")
    }

    #[test]
    fn urls() {
        let named = |mailbox: Option<&str>, validity: Option<u32>, uid, part: &[u32], text, partial| MessageUrl {
            mailbox: mailbox.map(str::to_owned),
            uid_validity: validity.and_then(UidValidity::new),
            uid: Uid::new(uid).unwrap(),
            section: Section {
                part: part.to_vec(),
                text,
                form: SectionForm::Body,
                partial,
            },
        };
        use SectionText::{All, Header, Mime, Text};
        let drafts = Some("Drafts");
        for (url, expected) in [
            (
                "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
                named(drafts, Some(385_759_045), 20, &[], Header, None),
            ),
            (
                "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME",
                named(drafts, Some(385_759_045), 20, &[1], Mime, None),
            ),
            ("/Drafts/;uid=7", named(drafts, None, 7, &[], All, None)),
            (
                "/INBOX/;UID=7/;SECTION=1.2;PARTIAL=0.1024",
                named(Some("INBOX"), None, 7, &[1, 2], All, Some((0, 1024))),
            ),
            (
                "/a%2fb%20%C3%A9/c/;UID=7/;PARTIAL=5",
                named(Some("a/b é/c"), None, 7, &[], All, Some((5, u64::MAX))),
            ),
            ("/;UID=7/;SECTION=TEXT", named(None, None, 7, &[], Text, None)),
            (";UID=7", named(None, None, 7, &[], All, None)),
            (
                "imap://scout%40example.test;AUTH=*@mx.example.test:143/Drafts/;UID=7",
                named(drafts, None, 7, &[], All, None),
            ),
            (
                "//SCOUT%40example.test@MX.example.test/Drafts/;UID=7",
                named(drafts, None, 7, &[], All, None),
            ),
            (
                "/Drafts/;UID=7/;SECTION=2.HEADER.FIELDS.NOT%20(To%20cc)",
                named(
                    drafts,
                    None,
                    7,
                    &[2],
                    SectionText::HeaderFields {
                        names: vec!["TO".into(), "CC".into()],
                        not: true,
                    },
                    None,
                ),
            ),
        ] {
            assert_eq!(parse(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_names_no_message_of_ours() {
        for url in [
            "",
            "/Drafts",
            "/Drafts;UIDVALIDITY=1",
            "/Drafts/;UID=0",
            "/Drafts/;UID=+1",
            "/Drafts/;UID=4294967296",
            "/Drafts/;UID=1/;UID=2",
            "/Drafts/;UID=1/;SECTION=MIME",
            "/Drafts/;UID=1/;SECTION=0",
            "/Drafts/;UID=1/;SECTION=1..2",
            "/Drafts/;UID=1/;SECTION=1HEADER",
            "/Drafts/;UID=1/;SECTION=HEADER.FIELDS%20()",
            "/Drafts/;UID=1/;PARTIAL=x",
            "/Drafts/;UID=1;URLAUTH=anonymous:internal:00",
            "/%ff/;UID=1",
            "/%4/;UID=1",
            "imap:/Drafts/;UID=1",
            "imap://mx.example.test/Drafts/;UID=1",
            "imap://other@mx.example.test/Drafts/;UID=1",
            "imap://scout%40example.test@elsewhere.test/Drafts/;UID=1",
            "http://x/y;UID=1",
            "imap://",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
    }
}
