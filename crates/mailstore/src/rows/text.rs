//! Where the search text of a message is, and the text as bytes.

use crate::codec::{Corrupt, Reader, Writer};
use postroom_message::{RawMessage, SearchText, Standing, search_octets, search_text, standing};
use postroom_types::{BlobId, Part};

/// Most octets that are decoded for a stored text, and twice what one takes. The text of a longer message is decoded
/// whenever it is searched.
const MAX_OCTETS: u64 = 1 << 20;

/// Where the search text of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextPlace {
    /// Nowhere: the message is decoded when it is searched.
    Nowhere,
    /// The content is the text as it stands, the body being text or not.
    Content {
        /// Whether the body is text.
        body: bool,
    },
    /// In a blob of this length that lives as long as the message row.
    Blob(BlobId, u64),
}

impl TextPlace {
    /// Where the text of a message is to be, and what is to be put into a blob.
    pub(crate) fn of(message: RawMessage<'_>, root: &Part) -> (Self, Option<Vec<u8>>) {
        match standing(message, root) {
            Standing::HeaderAndBody => (Self::Content { body: true }, None),
            Standing::HeaderAlone => (Self::Content { body: false }, None),
            Standing::Encoded if search_octets(root) > MAX_OCTETS => (Self::Nowhere, None),
            Standing::Encoded => {
                let encoded = write_text(&search_text(message, root));
                let octets = encoded.len() as u64;
                if octets > 2 * MAX_OCTETS {
                    return (Self::Nowhere, None);
                }
                (Self::Blob(BlobId::new(), octets), Some(encoded))
            }
        }
    }

    pub(super) fn write(self, writer: &mut Writer) {
        match self {
            Self::Nowhere => writer.u8(0),
            Self::Content { body } => writer.u8(1 + u8::from(body)),
            Self::Blob(id, octets) => {
                writer.u8(3);
                writer.raw(&id.0);
                writer.varint(octets);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(match reader.u8()? {
            0 => Self::Nowhere,
            1 => Self::Content { body: false },
            2 => Self::Content { body: true },
            3 => Self::Blob(BlobId(reader.array()?), reader.varint()?),
            _ => return Err(reader.corrupt()),
        })
    }
}

pub(crate) fn write_text(text: &SearchText) -> Vec<u8> {
    let mut writer = Writer::value(16 + text.header.len() + text.body.len());
    writer.bytes(text.header.as_bytes());
    writer.raw(text.body.as_bytes());
    writer.finish()
}

/// Header and body of a stored text.
pub(crate) fn read_text(value: &[u8]) -> Result<(&[u8], &[u8]), Corrupt> {
    let mut reader = Reader::value(value, "search text")?;
    let header = reader.bytes()?;
    Ok((header, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    fn place(content: &str) -> (TextPlace, Option<Vec<u8>>, SearchText) {
        let root = summarize(content.as_bytes()).root;
        let message = RawMessage {
            prefix: b"",
            body: content.as_bytes(),
        };
        let (place, bytes) = TextPlace::of(message, &root);
        (place, bytes, search_text(message, &root))
    }

    #[test]
    fn a_text_is_stored_if_the_content_is_not_the_text() {
        assert_eq!(place("A: b\r\n\r\nc").0, TextPlace::Content { body: true });
        let image = "Content-Type: image/png\r\n\r\nc";
        assert_eq!(place(image).0, TextPlace::Content { body: false });
        let (at, bytes, text) = place("A: =?utf-8?q?=C3=A9?=\r\n\r\ncaf\u{e9}");
        let bytes = bytes.unwrap();
        assert!(matches!(at, TextPlace::Blob(_, octets) if octets == bytes.len() as u64));
        assert_eq!(read_text(&bytes), Ok((text.header.as_bytes(), text.body.as_bytes())));
    }

    #[test]
    fn a_long_text_is_not_stored() {
        for long in ["\u{e9}".repeat(600_000), "\u{fdfa}".repeat(100_000)] {
            let (at, bytes, _) = place(&format!("A: b\r\n\r\n{long}"));
            assert_eq!((at, bytes), (TextPlace::Nowhere, None));
        }
    }
}
