//! Compact binary values: a format version byte, then fields in a fixed order. Reading is total: corrupt bytes are an
//! error, never a panic, and nothing is allocated beyond the length of the value.

use crate::model::{Contact, Destination, Reason};
use postroom_store::StoreError;
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, ReversePath};

/// The format version every value of this crate begins with.
pub(crate) const FORMAT: u8 = 1;

/// Octets kept of a reply's text.
pub(crate) const MAX_TEXT_OCTETS: usize = 512;
/// Octets kept of host names, addresses, TLS descriptions.
const MAX_NAME_OCTETS: usize = 255;
/// Octets kept of an enhanced status code.
const MAX_STATUS_OCTETS: usize = 16;

/// Writes a value.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A value with its format version.
    pub(crate) fn value() -> Self {
        Self::version(FORMAT)
    }

    /// A value in a later version of its format.
    pub(crate) fn version(version: u8) -> Self {
        Self(vec![version])
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn bool(&mut self, yes: bool) {
        self.u8(u8::from(yes));
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// At most 65,535 octets; what is longer was refused before.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let octets = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(octets);
        self.raw(&bytes[..usize::from(octets)]);
    }

    pub(crate) fn inbox(&mut self, inbox: Option<InboxId>) {
        self.bool(inbox.is_some());
        if let Some(inbox) = inbox {
            self.raw(inbox.as_bytes());
        }
    }

    pub(crate) fn organization(&mut self, organization: Option<OrganizationId>) {
        self.bool(organization.is_some());
        if let Some(organization) = organization {
            self.raw(organization.as_bytes());
        }
    }

    pub(crate) fn reverse_path(&mut self, path: &ReversePath) {
        match path {
            ReversePath::Null => self.bytes(b""),
            ReversePath::Mailbox(address) => self.bytes(address.to_string().as_bytes()),
        }
    }

    pub(crate) fn destination(&mut self, destination: &Destination) {
        match destination {
            Destination::Inbox(inbox) => {
                self.u8(1);
                self.raw(inbox.as_bytes());
            }
            Destination::Domain(domain) => {
                self.u8(2);
                self.bytes(domain.as_str().as_bytes());
            }
        }
    }

    /// Cut to what is kept, on one line, without control characters.
    pub(crate) fn reason(&mut self, reason: &Reason) {
        self.u16(reason.code);
        self.line(&reason.status, MAX_STATUS_OCTETS);
        self.line(&reason.text, MAX_TEXT_OCTETS);
    }

    pub(crate) fn contact(&mut self, contact: &Contact) {
        for part in [&contact.host, &contact.address, &contact.tls] {
            self.line(part, MAX_NAME_OCTETS);
        }
    }

    pub(crate) fn line(&mut self, text: &str, most_octets: usize) {
        self.bytes(one_line(text, most_octets).as_bytes());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The beginning of a text, with control characters as blanks.
pub(crate) fn one_line(text: &str, most_octets: usize) -> String {
    let cut = text.floor_char_boundary(most_octets);
    // The only control characters beyond ASCII are two octets, and a blank is shorter.
    text[..cut]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Stored bytes are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

impl From<Corrupt> for StoreError {
    fn from(Corrupt(what): Corrupt) -> Self {
        Self::Corrupt(format!("a {what} does not decode").into())
    }
}

impl From<Corrupt> for crate::QueueError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Store(corrupt.into())
    }
}

/// Reads a value.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads a value of this kind, checking its format version.
    pub(crate) fn value(bytes: &'a [u8], what: &'static str) -> Result<Self, Corrupt> {
        Self::versions(bytes, what, FORMAT).map(|(_, reader)| reader)
    }

    /// Reads a value of a kind that has several versions, up to `newest`; and which it is.
    pub(crate) fn versions(bytes: &'a [u8], what: &'static str, newest: u8) -> Result<(u8, Self), Corrupt> {
        let mut reader = Self { rest: bytes, what };
        let version = reader.u8()?;
        if (FORMAT..=newest).contains(&version) {
            Ok((version, reader))
        } else {
            Err(reader.corrupt())
        }
    }

    pub(crate) fn corrupt(&self) -> Corrupt {
        Corrupt(self.what)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Corrupt(self.what))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Corrupt> {
        Ok(self.u8()? != 0)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Corrupt> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Corrupt> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Corrupt> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let octets = usize::from(self.u16()?);
        let (taken, rest) = self.rest.split_at_checked(octets).ok_or(Corrupt(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.corrupt())
    }

    pub(crate) fn address(&mut self) -> Result<EmailAddress, Corrupt> {
        EmailAddress::parse(self.text()?).map_err(|_| self.corrupt())
    }

    pub(crate) fn inbox(&mut self) -> Result<Option<InboxId>, Corrupt> {
        self.bool()?.then(|| self.array().map(InboxId::from_bytes)).transpose()
    }

    pub(crate) fn organization(&mut self) -> Result<Option<OrganizationId>, Corrupt> {
        self.bool()?
            .then(|| self.array().map(OrganizationId::from_bytes))
            .transpose()
    }

    pub(crate) fn reverse_path(&mut self) -> Result<ReversePath, Corrupt> {
        match self.text()? {
            "" => Ok(ReversePath::Null),
            text => EmailAddress::parse(text)
                .map(ReversePath::Mailbox)
                .map_err(|_| self.corrupt()),
        }
    }

    pub(crate) fn destination(&mut self) -> Result<Destination, Corrupt> {
        match self.u8()? {
            1 => self.array().map(|id| Destination::Inbox(InboxId::from_bytes(id))),
            2 => {
                let domain = Domain::parse(self.text()?).map_err(|_| self.corrupt())?;
                Ok(Destination::Domain(domain))
            }
            _ => Err(self.corrupt()),
        }
    }

    pub(crate) fn reason(&mut self) -> Result<Reason, Corrupt> {
        Ok(Reason {
            code: self.u16()?,
            status: self.text()?.to_owned(),
            text: self.text()?.to_owned(),
        })
    }

    pub(crate) fn contact(&mut self) -> Result<Contact, Corrupt> {
        Ok(Contact {
            host: self.text()?.to_owned(),
            address: self.text()?.to_owned(),
            tls: self.text()?.to_owned(),
        })
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Corrupt> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt())
        }
    }
}
