//! What a server says, read strictly: every response whole, every line ended by CRLF, nothing left over.

/// A word of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// An atom, a number, NIL, `BODY[…]`.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    List(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Ok,
    No,
    Bad,
    Bye,
}

#[derive(Clone, Debug)]
pub(crate) enum Response {
    /// `+ …`
    GoOn,
    /// OK, NO, BAD or BYE; without a tag it is untagged.
    Status {
        tag: Option<String>,
        condition: Condition,
        /// What stands in brackets.
        code: Vec<Value>,
    },
    /// Anything else that is untagged.
    Data(Vec<Value>),
}

impl Value {
    /// An atom in capitals, or nothing.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Atom(text) => text.to_ascii_uppercase(),
            Self::Text(_) | Self::List(_) => String::new(),
        }
    }

    /// An atom or a string.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Atom(text) => Some(text.clone()),
            Self::Text(octets) => String::from_utf8(octets.clone()).ok(),
            Self::List(_) => None,
        }
    }

    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(text) => text.parse().ok(),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            Self::Atom(_) | Self::Text(_) => None,
        }
    }
}

/// Reads everything that was said.
pub(crate) fn responses(said: &[u8]) -> Result<Vec<Response>, String> {
    let mut reader = Reader { rest: said };
    let mut found = Vec::new();
    while !reader.rest.is_empty() {
        found.push(
            reader
                .response()
                .map_err(|wrong| format!("{wrong} before {:?}", String::from_utf8_lossy(reader.head())))?,
        );
    }
    Ok(found)
}

struct Reader<'a> {
    rest: &'a [u8],
}

type Parsed<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn head(&self) -> &'a [u8] {
        &self.rest[..self.rest.len().min(60)]
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.rest.starts_with(text);
        if found {
            self.rest = &self.rest[text.len()..];
        }
        found
    }

    fn must(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text.as_bytes()) {
            Ok(())
        } else {
            Err(format!("{text:?} missing"))
        }
    }

    fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|byte| stop(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn response(&mut self) -> Parsed<Response> {
        if self.eat(b"+") {
            self.until(|byte| byte == b'\r');
            self.must("\r\n")?;
            return Ok(Response::GoOn);
        }
        let tag = String::from_utf8_lossy(self.until(|byte| byte == b' ')).into_owned();
        self.must(" ")?;
        let tag = (tag != "*").then_some(tag);
        let before = self.rest;
        let word = self.until(|byte| matches!(byte, b' ' | b'\r'));
        let condition = match word {
            b"OK" => Condition::Ok,
            b"NO" => Condition::No,
            b"BAD" => Condition::Bad,
            b"BYE" => Condition::Bye,
            _ => {
                if tag.is_some() {
                    return Err("a tagged response that is no status".to_owned());
                }
                self.rest = before;
                let values = self.values(None)?;
                self.must("\r\n")?;
                return Ok(Response::Data(values));
            }
        };
        self.must(" ")?;
        let mut code = Vec::new();
        if self.eat(b"[") {
            code = self.values(Some(b']'))?;
            self.must("] ")?;
        }
        if self.until(|byte| byte < b' ').is_empty() {
            return Err("no text".to_owned());
        }
        self.must("\r\n")?;
        Ok(Response::Status { tag, condition, code })
    }

    /// Words up to the end of the line, the list or the code, which is not taken.
    fn values(&mut self, end: Option<u8>) -> Parsed<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            match self.rest.first() {
                None => return Err("the response is cut off".to_owned()),
                Some(b'\r') if end.is_none() => return Ok(values),
                Some(byte) if Some(*byte) == end => return Ok(values),
                Some(b' ') if !values.is_empty() => {
                    self.must(" ")?;
                    values.push(self.value(end)?);
                }
                // Threads stand without a space between (RFC 5256 §4).
                Some(b'(') => values.push(self.value(end)?),
                Some(_) if values.is_empty() => values.push(self.value(end)?),
                Some(_) => return Err("a space is missing".to_owned()),
            }
        }
    }

    fn value(&mut self, end: Option<u8>) -> Parsed<Value> {
        match self.rest.first() {
            Some(b'(') => {
                self.must("(")?;
                let values = self.values(Some(b')'))?;
                self.must(")")?;
                Ok(Value::List(values))
            }
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            Some(b'~') if self.rest.get(1) == Some(&b'{') => {
                self.must("~")?;
                self.literal()
            }
            // SEARCH without a hit ends in a space with some servers; not with this one.
            _ => self.atom(end),
        }
    }

    fn quoted(&mut self) -> Parsed<Value> {
        self.must("\"")?;
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(self.until(|byte| matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)));
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Ok(Value::Text(text));
                }
                [b'\\', byte @ (b'"' | b'\\'), rest @ ..] => {
                    text.push(*byte);
                    self.rest = rest;
                }
                _ => return Err("a quoted string is broken".to_owned()),
            }
        }
    }

    fn literal(&mut self) -> Parsed<Value> {
        self.must("{")?;
        let digits = self.until(|byte| !byte.is_ascii_digit());
        self.must("}\r\n")?;
        let octets: usize = String::from_utf8_lossy(digits)
            .parse()
            .map_err(|_| "no size of a literal")?;
        if octets > self.rest.len() {
            return Err("a literal is cut off".to_owned());
        }
        let (text, rest) = self.rest.split_at(octets);
        self.rest = rest;
        Ok(Value::Text(text.to_vec()))
    }

    fn atom(&mut self, end: Option<u8>) -> Parsed<Value> {
        let mut atom = String::new();
        loop {
            let plain = self.until(|byte| !(33..127).contains(&byte) || b"()\"{[".contains(&byte) || Some(byte) == end);
            atom.push_str(std::str::from_utf8(plain).map_err(|_| "an atom is no ASCII")?);
            if !self.eat(b"[") {
                break;
            }
            // BODY[HEADER.FIELDS (…)]<…>
            let section = self.until(|byte| matches!(byte, b']' | b'\r'));
            self.must("]")?;
            atom.push_str(&format!("[{}]", String::from_utf8_lossy(section)));
        }
        if atom.is_empty() {
            Err("a word is missing".to_owned())
        } else {
            Ok(Value::Atom(atom))
        }
    }
}

/// `1:3,7` as numbers, ascending as given. `*` is not in responses.
pub(crate) fn number_set(text: &str) -> Result<Vec<u32>, String> {
    let mut numbers = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let parse = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is no number"));
        let (first, last) = (parse(first)?, parse(last)?);
        if first == 0 || last == 0 {
            return Err("0 in a set".to_owned());
        }
        numbers.extend(first.min(last)..=first.max(last));
        if numbers.len() > 1_000_000 {
            return Err("an endless set".to_owned());
        }
    }
    Ok(numbers)
}
