//! What the machine has to say, in order.
//!
//! Bytes gather in one buffer until something else has to happen, so that a FETCH of many small messages is a few
//! large writes.

use crate::question::Question;
use bytes::Bytes;
use postroom_types::Piece;
use postroom_wire::Action;
use std::collections::VecDeque;

/// A buffer of this size is sent off. Those of 64 KiB and more make the allocator tidy up each time one is freed.
const SEND_OCTETS: usize = 48 << 10;

#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    actions: VecDeque<Action<Question>>,
}

impl Output {
    /// Where response writers write.
    pub(crate) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes a line; CRLF is added.
    pub(crate) fn line(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.extend_from_slice(b"\r\n");
        self.send_if_large();
    }

    /// Sends message data.
    pub(crate) fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Inline(bytes) if bytes.len() < SEND_OCTETS => {
                self.buffer.extend_from_slice(&bytes);
                self.send_if_large();
            }
            Piece::Inline(bytes) => self.push(Action::Send(bytes)),
            Piece::Stored(span) => {
                if span.octets > 0 {
                    self.push(Action::SendBlob(span));
                }
            }
        }
    }

    fn send_if_large(&mut self) {
        if self.buffer.len() >= SEND_OCTETS {
            self.flush();
            // There is more to come, about as much.
            self.buffer.reserve(SEND_OCTETS + SEND_OCTETS / 8);
        }
    }

    /// Adds an action after what was written.
    pub(crate) fn push(&mut self, action: Action<Question>) {
        self.flush();
        self.actions.push_back(action);
    }

    /// Makes what was written an action.
    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let bytes = std::mem::take(&mut self.buffer);
            self.actions.push_back(Action::Send(Bytes::from(bytes)));
        }
    }

    /// The next action. An idle connection owns no queue.
    pub(crate) fn next(&mut self) -> Option<Action<Question>> {
        let action = self.actions.pop_front();
        if action.is_none() {
            self.actions = VecDeque::new();
        }
        action
    }
}
