//! What the parts of a message say, whatever their encoding.

use postroom_message::{decoded_body, summarize};
use postroom_types::{Part, PartBody};

/// Of every leaf, in order: its depth, its subtype, and its decoded content.
pub(crate) fn meaning(content: &[u8]) -> Vec<(usize, Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    leaves(content, &summarize(content).root, 0, &mut out);
    out
}

fn leaves(content: &[u8], part: &Part, depth: usize, out: &mut Vec<(usize, Vec<u8>, Vec<u8>)>) {
    match &part.body {
        PartBody::Leaf => out.push((depth, part.subtype.clone(), decoded_body(content, part).into_owned())),
        PartBody::Multipart(children) => children.iter().for_each(|child| leaves(content, child, depth + 1, out)),
        PartBody::Message(inner) => leaves(content, &inner.1, depth + 1, out),
    }
}
