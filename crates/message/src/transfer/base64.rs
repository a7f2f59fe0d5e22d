//! Base64 as mail has it (RFC 2045 §6.8): octets outside the alphabet are passed over, wherever they stand.
//!
//! Padding that completes a quantum ends the data, so that a footer which list software has put after it is none of it;
//! an `=` anywhere else is passed over. But parts that were put together, each with its padding, are read on: after the end
//! a line of whole quanta and nothing else, longer than a word of a footer or padded itself, begins another block.

/// What an octet stands for that is in the alphabet; [`FOREIGN`] if it is not.
const DIGITS: [u8; 256] = digits();
const FOREIGN: u8 = 0xff;

/// Octets that a line without padding needs to be taken for data after the end: more than words have.
const LONGER_THAN_WORDS: usize = 16;
/// The longest line that is waited for after the end (RFC 2045 §6.8 has none longer): if it is all digits up to here, it is
/// data.
const LINE_OCTETS: usize = 76;

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
    /// After padding: what the line holds so far that may begin another block.
    Padded(Vec<u8>),
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
                        *self = Self::Padded(Vec::new());
                        rest
                    }
                },
                Self::Padded(line) => {
                    let Some((octet, rest)) = octets.split_first() else {
                        return;
                    };
                    line.extend((*octet != b'\n').then_some(octet));
                    if *octet == b'\n' || line.len() == LINE_OCTETS {
                        self.decide(out);
                    }
                    rest
                }
                Self::Ended => return,
            };
        }
    }

    /// The line that was waited for is here: it begins another block, or there is none.
    fn decide(&mut self, out: &mut Vec<u8>) {
        let Self::Padded(line) = self else { return };
        let text = line.trim_ascii();
        // More padding than there has to be is nothing either.
        if text.iter().all(|octet| *octet == b'=') {
            line.clear();
        } else if begins_block(text) {
            for quantum in text.chunks(4) {
                // Nothing comes after its padding.
                let _ = Quantum::default().push(quantum, out);
            }
            *self = match text.ends_with(b"=") {
                true => Self::Padded(Vec::new()),
                false => Self::default(),
            };
        } else {
            *self = Self::Ended;
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.decide(out);
        if let Self::Data(quantum) = self {
            quantum.end(out);
        }
    }
}

/// Whether this is base64 beyond doubt.
fn begins_block(text: &[u8]) -> bool {
    let is_digit = |octet: &u8| DIGITS[usize::from(*octet)] != FOREIGN;
    let is_quantum = |quantum: &[u8]| match quantum {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] | rest => quantum.len() == 4 && rest.iter().all(is_digit),
    };
    let is_long = text.len() >= LONGER_THAN_WORDS;
    (is_long || text.ends_with(b"=")) && text.chunks(4).all(is_quantum)
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
