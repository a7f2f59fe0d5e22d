//! Content-Transfer-Encodings undone (RFC 2045 §6), for every face and piece by piece.
//!
//! What always holds: any division of the octets into pieces gives the same result; whatever the octets are, they decode,
//! and what is held between two pieces is less than two kilobytes; a size that is told is that of what decoding gives.

mod base64;
mod legible;
mod quoted_printable;

use base64::Base64;
pub(crate) use legible::legible;
use quoted_printable::QuotedPrintable;
use std::borrow::Cow;

/// Undoes one Content-Transfer-Encoding, in as many pieces as its body comes in.
#[derive(Debug, Default)]
pub struct TransferDecoder(State);

#[derive(Debug, Default)]
enum State {
    /// Nothing is to be undone.
    #[default]
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl TransferDecoder {
    /// The decoder of an encoding. Of one that is not known the octets are given as they stand.
    #[must_use]
    pub fn of(encoding: &[u8]) -> Self {
        Self(if encoding.eq_ignore_ascii_case(b"base64") {
            State::Base64(Base64::default())
        } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
            State::QuotedPrintable(QuotedPrintable::default())
        } else {
            State::Identity
        })
    }

    /// One that gives the octets as they stand.
    #[must_use]
    pub fn identity() -> Self {
        Self::default()
    }

    /// Takes the next octets of the body, and adds to `out` what is known of their meaning by now.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => out.extend_from_slice(octets),
            State::Base64(base64) => base64.push(octets, out),
            State::QuotedPrintable(quoted) => quoted.push(octets, out),
        }
    }

    /// The body has ended: adds what was held back.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.0 {
            State::Identity => {}
            State::Base64(base64) => base64.finish(out),
            State::QuotedPrintable(quoted) => quoted.finish(out),
        }
    }
}

/// Undoes a Content-Transfer-Encoding. Borrowed exactly if there is nothing to be undone, or nobody knows how.
#[must_use]
pub(crate) fn transfer_decode<'a>(encoding: &[u8], body: &'a [u8]) -> Cow<'a, [u8]> {
    let mut decoder = TransferDecoder::of(encoding);
    if matches!(decoder.0, State::Identity) {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(decoder.most_octets(body.len()));
    decoder.push(body, &mut out);
    decoder.finish(&mut out);
    Cow::Owned(out)
}

/// How long a body is with its encoding undone; nothing of it is kept.
pub(crate) fn decoded_octets(encoding: &[u8], body: &[u8]) -> u64 {
    const PIECE_OCTETS: usize = 8 << 10;
    let mut decoder = TransferDecoder::of(encoding);
    if matches!(decoder.0, State::Identity) {
        return body.len() as u64;
    }
    let mut octets = 0;
    let mut out = Vec::with_capacity(PIECE_OCTETS.min(body.len()));
    for piece in body.chunks(PIECE_OCTETS) {
        decoder.push(piece, &mut out);
        octets += out.len() as u64;
        out.clear();
    }
    decoder.finish(&mut out);
    octets + out.len() as u64
}

/// Base64 in an encoded word (RFC 2047 §4.1). `None` for text that encodes nothing.
pub(crate) fn base64_word(text: &[u8]) -> Option<Vec<u8>> {
    let decoded = transfer_decode(b"base64", text).into_owned();
    (text.is_empty() || !decoded.is_empty()).then_some(decoded)
}

impl TransferDecoder {
    /// The most that so many octets can become.
    fn most_octets(&self, octets: usize) -> usize {
        match self.0 {
            State::Identity | State::QuotedPrintable(_) => octets,
            State::Base64(_) => octets.div_ceil(4) * 3,
        }
    }
}

#[cfg(test)]
mod tests;
