//! Server-sent events, read from pieces of any size (WHATWG HTML §9.2.6).

use super::Result;
use super::failure::Failure;

/// Most octets of one event, far above what the server sends.
const MAX_OCTETS: usize = 32 << 20;

/// An event, or the cursor alone, which the server tells before there is one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) id: Option<String>,
    pub(super) event: String,
    pub(super) data: Option<String>,
}

/// What came and is not an event yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    frame: Frame,
}

impl Frames {
    /// Takes a piece and gives the events that it completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let held = self.line.len() + self.frame.data.as_ref().map_or(0, String::len);
            if held + part.len() > MAX_OCTETS {
                return Err(Failure::failed("an event is larger than any should be"));
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                frames.extend(self.end_line());
            }
        }
        Ok(frames)
    }

    /// An empty line ends an event.
    fn end_line(&mut self) -> Option<Frame> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            return Some(frame).filter(|frame| *frame != Frame::default());
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (name, &mut self.frame.data) {
            ("id", _) => self.frame.id = Some(value.to_owned()),
            ("event", _) => value.clone_into(&mut self.frame.event),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", data @ None) => *data = Some(value.to_owned()),
            // A comment, or what we have no use for.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same() {
        let text = "retry: 2000\nid: 1-0\n\n:\n\nid: 2-0\r\nevent: message.sent\r\ndata: {\"a\":\"é\"}\r\n\r\n\
                    event: gone\ndata:x\ndata: y\n\nid: unfinished\n";
        let frame = |id: Option<&str>, event: &str, data: Option<&str>| Frame {
            id: id.map(str::to_owned),
            event: event.to_owned(),
            data: data.map(str::to_owned),
        };
        let expected = [
            frame(Some("1-0"), "", None),
            frame(Some("2-0"), "message.sent", Some("{\"a\":\"é\"}")),
            frame(None, "gone", Some("x\ny")),
        ];
        for size in 1..=text.len() {
            let mut frames = Frames::default();
            let pieces = text.as_bytes().chunks(size);
            let got: Vec<Frame> = pieces.flat_map(|piece| frames.push(piece).expect("small")).collect();
            assert_eq!(got, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut frames = Frames::default();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..40).find(|_| frames.push(&piece).is_err());
        assert_eq!(refused, Some(32));
    }
}
