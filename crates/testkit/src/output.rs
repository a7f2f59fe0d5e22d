//! What a machine did, and how it is shown in failures.

use crate::escape::escape;
use crate::script::Side;
use postroom_types::BlobSpan;

/// What the machine did; bytes that follow each other are one.
#[derive(Debug)]
pub(crate) enum Output {
    Sent(Vec<u8>),
    Body(Vec<u8>),
    BodyEnd,
    Asked(String),
    Blob(BlobSpan),
    StartTls,
    Compress,
    Close,
}

pub(crate) fn render(output: &Output, side: Side) -> String {
    match output {
        // Only the first line: the rest is for the steps that follow.
        Output::Sent(bytes) => {
            let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
            format!("{}: {}", side.keyword(), escape(&bytes[..end]))
        }
        Output::Body(bytes) => format!("B: {}", escape(bytes)),
        Output::BodyEnd => "BODYEND".to_owned(),
        Output::Asked(question) => format!("Q: {question}"),
        Output::Blob(span) => format!("BLOB: {}", render_span(span)),
        Output::StartTls => "TLS".to_owned(),
        Output::Compress => "COMPRESS".to_owned(),
        Output::Close => "X:".to_owned(),
    }
}

pub(crate) fn render_span(span: &BlobSpan) -> String {
    format!("{:x} {}+{}", u128::from_be_bytes(span.id.0), span.offset, span.octets)
}
