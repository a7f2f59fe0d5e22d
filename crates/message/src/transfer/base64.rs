//! Base64 as mail has it (RFC 2045 §6.8): octets outside the alphabet are passed over, wherever they stand.
//!
//! Padding that completes a quantum ends the data, so that a footer which list software has put after it is none of it;
//! an `=` anywhere else is passed over. But blocks that were put together, each with its padding, are read on, as encoders
//! make them that go line by line: after the end a line begins another block that is longer than a word of a footer, or
//! padded. Short lines of whole quanta before such a line are data, too; with none behind them, they are up to the first
//! that looks like a word.

/// What an octet stands for that is in the alphabet; [`FOREIGN`] if it is not.
const DIGITS: [u8; 256] = digits();
const FOREIGN: u8 = 0xff;

/// Octets that a line without padding needs to be taken for data after the end: more than words have.
pub(super) const LONGER_THAN_WORDS: usize = 16;
/// So wide are lines that encoders end within a quantum, at least.
const WIDE: usize = 60;
/// The longest line that is waited for after the end (RFC 2045 §6.8 has none longer): if it is all digits up to here, it is
/// data.
const LINE_OCTETS: usize = 76;
/// Most octets of short lines that are waited with; more are no footer's.
const MOST_HELD: usize = 1000;

const fn digits() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [FOREIGN; 256];
    let mut value = 0;
    while value < alphabet.len() {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table
}

/// Where decoding is.
#[derive(Debug)]
pub(super) enum Base64 {
    /// Within the data, and within this quantum.
    Data(Quantum),
    /// After padding.
    Padded(Doubtful),
    /// After what is no data.
    Ended,
}

/// Four digits, of which some have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quantum {
    bits: u32,
    digits: u8,
    padding: u8,
}

/// What came after padding and may be data.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    /// Whole quanta from short lines.
    held: Vec<u8>,
    /// So many octets of these are from before the first line that looks like a word.
    before_words: usize,
    /// The line that has not ended, without the blanks it begins with.
    line: Vec<u8>,
}

/// What a line after padding is.
enum Line {
    /// Nothing, or more padding than there has to be.
    Empty,
    /// Base64, or a word of a footer.
    Short,
    /// Base64 beyond doubt.
    Data,
    /// No base64.
    Other,
}

impl Default for Base64 {
    fn default() -> Self {
        Self::Data(Quantum::default())
    }
}

impl Base64 {
    pub(super) fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        loop {
            octets = match self {
                Self::Data(quantum) => match quantum.push(octets, out) {
                    None => return,
                    Some(rest) => {
                        *self = Self::Padded(Doubtful::default());
                        rest
                    }
                },
                Self::Padded(Doubtful { line, .. }) => {
                    let Some((octet, rest)) = octets.split_first() else {
                        return;
                    };
                    let is_indent = line.is_empty() && octet.is_ascii_whitespace();
                    line.extend((*octet != b'\n' && !is_indent).then_some(octet));
                    if *octet == b'\n' || line.len() == LINE_OCTETS {
                        self.decide(out);
                    }
                    rest
                }
                Self::Ended => return,
            };
        }
    }

    /// The line that was waited for is here.
    fn decide(&mut self, out: &mut Vec<u8>) {
        let Self::Padded(doubtful) = self else { return };
        let text = doubtful.line.trim_ascii();
        match Line::of(text) {
            Line::Empty => doubtful.line.clear(),
            Line::Short if doubtful.held.len() < MOST_HELD => {
                if doubtful.before_words == doubtful.held.len() && !is_word(text) {
                    doubtful.before_words += text.len();
                }
                doubtful.held.extend_from_slice(text);
                doubtful.line.clear();
            }
            Line::Short | Line::Data => {
                add_quanta(&doubtful.held, out);
                let quantum = add_quanta(text, out);
                *self = match text.ends_with(b"=") {
                    true => Self::Padded(Doubtful::default()),
                    false => Self::Data(quantum),
                };
            }
            Line::Other => {
                doubtful.end(out);
                *self = Self::Ended;
            }
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.decide(out);
        match self {
            Self::Data(quantum) => quantum.end(out),
            Self::Padded(doubtful) => doubtful.end(out),
            Self::Ended => {}
        }
    }
}

impl Doubtful {
    /// No data comes any more.
    fn end(&self, out: &mut Vec<u8>) {
        add_quanta(&self.held[..self.before_words], out);
    }
}

impl Line {
    fn of(text: &[u8]) -> Self {
        let is_quantum = |quantum: &[u8]| match quantum {
            [rest @ .., b'=', b'='] | [rest @ .., b'='] | rest => quantum.len() == 4 && rest.iter().all(is_digit),
        };
        if text.iter().all(|octet| *octet == b'=') {
            Self::Empty
        } else if !text.iter().any(u8::is_ascii_alphanumeric) {
            // A line drawn across.
            Self::Other
        } else if !text.chunks(4).all(is_quantum) {
            match text.len() >= WIDE && text.iter().all(is_digit) {
                true => Self::Data,
                false => Self::Other,
            }
        } else if text.len() >= LONGER_THAN_WORDS || text.ends_with(b"=") {
            Self::Data
        } else {
            Self::Short
        }
    }
}

pub(super) fn is_digit(octet: &u8) -> bool {
    DIGITS[usize::from(*octet)] != FOREIGN
}

/// Whether people may have written this, rather than an encoder: a number, or letters of which the first alone is large,
/// or all are, or none.
pub(super) fn is_word(text: &[u8]) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    text.iter().all(u8::is_ascii_digit)
        || text.iter().all(u8::is_ascii_uppercase)
        || text.first().is_some_and(u8::is_ascii_alphabetic) && rest.iter().all(u8::is_ascii_lowercase)
}

/// Decodes quanta that may each have padding, and gives what the last lacks to be whole.
fn add_quanta(text: &[u8], out: &mut Vec<u8>) -> Quantum {
    let mut quantum = Quantum::default();
    for digits in text.chunks(4) {
        if quantum.push(digits, out).is_some() {
            quantum = Quantum::default();
        }
    }
    quantum
}

impl Quantum {
    /// Decodes up to the padding that ends the data, and gives what comes after it.
    fn push<'a>(&mut self, mut octets: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
        loop {
            if self.digits == 0 {
                octets = whole_quanta(octets, out);
            }
            let (octet, rest) = octets.split_first()?;
            octets = rest;
            match DIGITS[usize::from(*octet)] {
                FOREIGN if *octet == b'=' && self.digits >= 2 => {
                    self.padding += 1;
                    if self.digits + self.padding == 4 {
                        self.end(out);
                        return Some(octets);
                    }
                }
                FOREIGN => {}
                digit => self.add(digit, out),
            }
        }
    }

    fn add(&mut self, digit: u8, out: &mut Vec<u8>) {
        self.bits = self.bits << 6 | u32::from(digit);
        self.digits += 1;
        // It was not the padding of this quantum.
        self.padding = 0;
        if self.digits == 4 {
            out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
            *self = Self::default();
        }
    }

    /// A quantum of fewer digits: what its bits are enough for. One digit alone is no octet.
    fn end(self, out: &mut Vec<u8>) {
        match self.digits {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
    }
}

/// Decodes as long as four digits follow each other, and gives what comes then.
fn whole_quanta<'a>(mut octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while let [a, b, c, d, rest @ ..] = octets {
        let digits = [a, b, c, d].map(|octet| DIGITS[usize::from(*octet)]);
        if digits.contains(&FOREIGN) {
            break;
        }
        let bits = digits.iter().fold(0, |bits, digit| bits << 6 | u32::from(*digit));
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
        octets = rest;
    }
    octets
}
