//! APPEND (RFC 3501 §6.3.11) of one or more messages (RFC 3502), as literals, as literal8 (RFC 3516 §4.4), put together
//! of texts and URLs (RFC 4469), or with UTF-8 in their headers (RFC 6855 §4); and what comes of it (RFC 4315 §3).
//! REPLACE (RFC 8508) goes the same way.
//!
//! Nothing of a message is collected: what is read here are the arguments between the literals, one segment at a time.

use super::replace;
use crate::grammar::date::date_time;
use crate::grammar::flags::flag_list;
use crate::grammar::scanner::utf8;
use crate::grammar::{Bad, Scanner};
use crate::question::{Answer, Appending, Question};
use crate::response::number_set::write_uid_set;
use crate::session::{Done, Flow, Refusal, Session, Task};
use postroom_types::{Uid, UidValidity};

/// Most messages in one APPEND, and most parts in one CATENATE. The bound is ours: all are appended, or none.
const MESSAGES: usize = 1_000;

/// A whole APPEND in one line, which can only be a CATENATE of URLs, or with literals only before its messages.
pub(super) fn append(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    whole(AppendRequest::append(args, session)?)
}

pub(super) fn replace(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    whole(AppendRequest::replace(args, session, false)?)
}

pub(super) fn uid_replace(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    whole(AppendRequest::replace(args, session, true)?)
}

fn whole(read: Option<(AppendRequest, Segment)>) -> Result<Flow, Refusal> {
    match read {
        Some((request, segment)) => Ok(Flow::Append(request, segment)),
        None => Err(Bad("Unfinished literal").into()),
    }
}

/// What is asked for, as far as it was read.
#[derive(Debug)]
pub(crate) struct AppendRequest {
    pub(crate) name: String,
    /// The message this is to replace.
    replaces: Option<Uid>,
    /// Flags and dates of the messages begun.
    messages: Vec<Appending>,
    /// Parts of the message that is being put together.
    parts: usize,
    within: Within,
}

/// Where in the grammar the next segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// `append-message`, or the end.
    Messages,
    /// `cat-part`, after the opening parenthesis.
    Catenate,
    /// A space and `cat-part`, or the closing parenthesis.
    CatenateMore,
    /// The parenthesis that closes `UTF8 (`, in a CATENATE or outside.
    Utf8 { catenate: bool },
}

/// What a segment asks to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A message begins.
    Begin,
    /// This URL names its next part.
    Url(String),
    /// It is complete.
    End,
}

/// What comes after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The literal just announced is the next part of the message.
    Literal {
        /// With it the message is complete.
        whole: bool,
        /// It may hold NUL.
        binary: bool,
    },
    /// The literal just announced is an argument: the segment is to be read again when it has come.
    Argument,
    /// The command is complete.
    Finish,
}

/// What a segment says.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) steps: Vec<Step>,
    pub(crate) next: Next,
}

impl Segment {
    const ARGUMENT: Self = Self {
        steps: Vec::new(),
        next: Next::Argument,
    };
}

impl AppendRequest {
    /// Reads the first segment of APPEND, after the verb. `None`: its literal is an argument before the first message.
    pub(crate) fn append(args: &mut Scanner<'_>, session: &Session) -> Result<Option<(Self, Segment)>, Refusal> {
        Self::begin(args, session, None)
    }

    /// The same of REPLACE.
    pub(crate) fn replace(
        args: &mut Scanner<'_>,
        session: &Session,
        by_uid: bool,
    ) -> Result<Option<(Self, Segment)>, Refusal> {
        let replaced = replace::replaced(args, session, by_uid)?;
        Self::begin(args, session, Some(replaced))
    }

    fn begin(
        args: &mut Scanner<'_>,
        session: &Session,
        replaced: Option<Result<Uid, Refusal>>,
    ) -> Result<Option<(Self, Segment)>, Refusal> {
        args.space()?;
        if args.at_last_mark() {
            return Ok(None);
        }
        let name = session.read_name(&args.astring()?);
        let mut request = Self {
            name: String::new(),
            replaces: None,
            messages: Vec::new(),
            parts: 0,
            within: Within::Messages,
        };
        let segment = request.segment_of(args, session, replaced.is_some())?;
        if segment.next == Next::Argument {
            return Ok(None);
        }
        // What does not follow the grammar is BAD, whatever else is wrong with it.
        request.name = name.ok_or(Refusal::BAD_NAME)?;
        request.replaces = replaced.transpose()?;
        Ok(Some((request, segment)))
    }

    /// Reads a further segment: what follows a literal.
    pub(crate) fn segment(&mut self, args: &mut Scanner<'_>, session: &Session) -> Result<Segment, Refusal> {
        self.segment_of(args, session, self.replaces.is_some())
    }

    fn segment_of(&mut self, args: &mut Scanner<'_>, session: &Session, one: bool) -> Result<Segment, Refusal> {
        // Read again from its beginning if its literal is an argument, so nothing is kept before it is complete.
        let before = (self.messages.len(), self.parts, self.within);
        let mut steps = Vec::new();
        loop {
            let next = match self.within {
                Within::Messages => self.message(args, session, one, &mut steps)?,
                Within::Catenate => self.part(args, session, &mut steps)?,
                Within::CatenateMore if args.eat(b')') => {
                    steps.push(Step::End);
                    self.within = Within::Messages;
                    None
                }
                Within::CatenateMore => {
                    args.space()?;
                    self.part(args, session, &mut steps)?
                }
                Within::Utf8 { catenate } => {
                    args.expect(b')', ") expected")?;
                    self.within = if catenate {
                        Within::CatenateMore
                    } else {
                        steps.push(Step::End);
                        Within::Messages
                    };
                    None
                }
            };
            match next {
                None => {}
                Some(Next::Argument) => {
                    self.messages.truncate(before.0);
                    (self.parts, self.within) = (before.1, before.2);
                    return Ok(Segment::ARGUMENT);
                }
                Some(next) => return Ok(Segment { steps, next }),
            }
        }
    }

    /// `append-message` as far as its first literal, or the end of the command.
    fn message(
        &mut self,
        args: &mut Scanner<'_>,
        session: &Session,
        one: bool,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Next>, Refusal> {
        let at_end = args.clone().end().is_ok();
        if at_end && !self.messages.is_empty() {
            return Ok(Some(Next::Finish));
        }
        if at_end {
            return Err(Refusal::Bad("A message is needed, as a literal"));
        }
        if one && !self.messages.is_empty() {
            return Err(Refusal::Bad("One message replaces one"));
        }
        if self.messages.len() == MESSAGES {
            return Err(Refusal::No("LIMIT", "Too many messages at once"));
        }
        args.space()?;
        // IMAPClient puts two between the messages of a MULTIAPPEND.
        while args.eat(b' ') {}
        let mut message = Appending::default();
        if args.peek() == Some(b'(') {
            message.flags = flag_list(args)?;
            args.space()?;
        }
        if args.peek() == Some(b'"') {
            message.internal_date = Some(date_time(args)?);
            args.space()?;
        }
        steps.push(Step::Begin);
        self.parts = 0;
        let next = if args.at_last_mark() {
            Some(Next::Literal {
                whole: true,
                binary: false,
            })
        } else if args.at_last_mark8() {
            message.binary = true;
            Some(Next::Literal {
                whole: true,
                binary: true,
            })
        } else if args.eat_ignoring_case(b"CATENATE (") {
            self.within = Within::Catenate;
            None
        } else if args.eat_ignoring_case(b"UTF8 (") {
            Some(self.utf8_literal(args, session, false)?)
        } else {
            return Err(Bad("Literal expected").into());
        };
        self.messages.push(message);
        Ok(next)
    }

    /// `cat-part`.
    fn part(
        &mut self,
        args: &mut Scanner<'_>,
        session: &Session,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Next>, Refusal> {
        self.parts += 1;
        if self.parts > MESSAGES {
            return Err(Refusal::No("LIMIT", "Too many parts in one message"));
        }
        self.within = Within::CatenateMore;
        if args.eat_ignoring_case(b"TEXT ") {
            if !args.at_last_mark() {
                return Err(Bad("Literal expected").into());
            }
            return Ok(Some(Next::Literal {
                whole: false,
                binary: false,
            }));
        }
        if args.eat_ignoring_case(b"UTF8 (") {
            return self.utf8_literal(args, session, true).map(Some);
        }
        if !args.eat_ignoring_case(b"URL ") {
            return Err(Bad("TEXT or URL expected").into());
        }
        if args.at_last_mark() {
            return Ok(Some(Next::Argument));
        }
        let url = args.astring()?;
        steps.push(Step::Url(utf8(&url)?.to_owned()));
        Ok(None)
    }

    fn utf8_literal(&mut self, args: &Scanner<'_>, session: &Session, catenate: bool) -> Result<Next, Refusal> {
        if !session.enabled.utf8_names() {
            return Err(Refusal::Bad("ENABLE UTF8=ACCEPT first"));
        }
        if !args.at_last_mark8() {
            return Err(Bad("Literal expected").into());
        }
        self.within = Within::Utf8 { catenate };
        // It is text, so it has no NUL.
        Ok(Next::Literal {
            whole: false,
            binary: false,
        })
    }

    /// All has been handed over.
    pub(crate) fn finish(self) -> Result<Flow, Refusal> {
        let replaces = self.replaces;
        Flow::ask(
            Question::Append {
                name: self.name,
                messages: self.messages,
                replaces,
            },
            Append {
                replaces: replaces.is_some(),
            },
        )
    }
}

struct Append {
    replaces: bool,
}

impl Task for Append {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Appended(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let (uid_validity, uids) = result.map_err(Refusal::try_create)?;
        session.has_made(uid_validity, uids.iter().copied());
        let code = append_uid(uid_validity, uids);
        if self.replaces {
            // Before the EXPUNGE of the message that was replaced (RFC 8508 §4.3).
            session.out.line(&format!("* OK [{code}] Replacement is there"));
            return Flow::ok("REPLACE completed");
        }
        Ok(Flow::Done(Done::with_code(code, "APPEND completed")))
    }
}

/// `APPENDUID uidvalidity uids`, in the order they were appended.
fn append_uid(uid_validity: UidValidity, uids: Vec<Uid>) -> String {
    let mut set = Vec::new();
    write_uid_set(&mut set, uids);
    format!("APPENDUID {uid_validity} {}", String::from_utf8_lossy(&set))
}
