//! The books of one transaction: which commands are out, and what is known of each recipient. Only computes.

use crate::client::extensions::Extensions;
use crate::client::question::Transaction;
use crate::client::reply::RemoteReply;
use crate::client::result::{Failure, Phase, RecipientResult, TransactionResult};
use postroom_types::{ForwardPath, ReversePath};
use std::collections::VecDeque;
use std::time::Instant;

/// A group of pipelined commands ends when it has so many octets: more might not fit the server's window while its
/// replies do not fit ours (RFC 2920 §3.1).
const GROUP_OCTETS: usize = 4_096;

/// A command whose reply decides something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Mail,
    /// With the index of the recipient.
    Recipient(usize),
    Data,
    /// The final dot.
    End,
}

impl Command {
    pub(crate) const fn phase(self) -> Phase {
        match self {
            Self::Mail => Phase::Mail,
            Self::Recipient(_) => Phase::Recipient,
            Self::Data => Phase::Data,
            Self::End => Phase::Final,
        }
    }
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct Transfer {
    mail: String,
    forward_paths: Vec<ForwardPath>,
    /// What is known for certain. While DATA goes on, those without are the accepted ones.
    results: Vec<Option<RecipientResult>>,
    pipelining: bool,
    /// The final dot has to be sent before.
    pub(crate) end_by: Instant,
    /// Not sent yet.
    next: Option<Command>,
    /// Sent, and not replied to.
    awaited: VecDeque<Command>,
    /// The server has accepted MAIL and would mix what comes next with this transaction.
    pub(crate) open: bool,
}

impl Transfer {
    /// Recipients for which the server lacks something are decided at once.
    pub(crate) fn new(transaction: Transaction, extensions: &Extensions, end_by: Instant) -> Self {
        let Transaction {
            reverse_path,
            forward_paths,
            ..
        } = &transaction;
        let from_utf8 = matches!(reverse_path, ReversePath::Mailbox(address) if address.is_internationalized());
        let all_utf8 = transaction.smtputf8 || from_utf8;
        let results: Vec<_> = forward_paths
            .iter()
            .map(|path| unsupported(&transaction, all_utf8 || is_internationalized(path), extensions))
            .collect();
        let utf8 = all_utf8
            || std::iter::zip(forward_paths, &results).any(|(path, no)| no.is_none() && is_internationalized(path));
        let mut mail = format!("MAIL FROM:{reverse_path}");
        if extensions.size.is_some() {
            mail.push_str(&format!(" SIZE={}", transaction.size_octets));
        }
        if transaction.eight_bit {
            mail.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            mail.push_str(" SMTPUTF8");
        }
        mail.push_str("\r\n");
        Self {
            mail,
            results,
            forward_paths: transaction.forward_paths,
            pipelining: extensions.pipelining,
            end_by,
            next: Some(Command::Mail),
            awaited: VecDeque::new(),
            open: false,
        }
    }

    /// The next commands to send, now awaited. `None`: there is nothing more to ask for.
    ///
    /// DATA stands last in its group, and goes out though all recipients before it may yet be refused: then the
    /// server refuses it too, or gets a lone dot (RFC 2920 §3.1).
    pub(crate) fn next_group(&mut self) -> Option<String> {
        let mut group = String::new();
        while let Some(command) = self.next
            && !self.is_decided()
            && (group.is_empty() || (self.pipelining && group.len() < GROUP_OCTETS))
        {
            match command {
                Command::Mail => group.push_str(&self.mail),
                Command::Recipient(index) => group.push_str(&format!("RCPT TO:{}\r\n", self.forward_paths[index])),
                Command::Data | Command::End => group.push_str("DATA\r\n"),
            }
            self.awaited.push_back(command);
            self.next = match command {
                Command::Mail => Some(self.undecided_from(0)),
                Command::Recipient(index) => Some(self.undecided_from(index + 1)),
                Command::Data | Command::End => None,
            };
        }
        (!group.is_empty()).then_some(group)
    }

    fn undecided_from(&self, index: usize) -> Command {
        let index = (index..self.results.len()).find(|&index| self.results[index].is_none());
        index.map_or(Command::Data, Command::Recipient)
    }

    /// What the next reply answers.
    pub(crate) fn awaited(&self) -> Option<Command> {
        self.awaited.front().copied()
    }

    pub(crate) fn take_awaited(&mut self) -> Option<Command> {
        self.awaited.pop_front()
    }

    /// The final dot was sent.
    pub(crate) fn ended(&mut self) {
        self.awaited.push_back(Command::End);
    }

    /// What is going on; the content, when no reply is awaited.
    pub(crate) fn phase(&self) -> Phase {
        self.awaited().map_or(Phase::Content, Command::phase)
    }

    /// Whether nothing can be said any more that matters to a recipient.
    pub(crate) fn is_decided(&self) -> bool {
        self.results.iter().all(Option::is_some)
    }

    pub(crate) fn refuse_one(&mut self, index: usize, reply: RemoteReply) {
        let phase = Phase::Recipient;
        self.results[index].get_or_insert(RecipientResult::Refused { phase, reply });
    }

    pub(crate) fn decide_rest(&mut self, result: impl Fn() -> RecipientResult) {
        for undecided in self.results.iter_mut().filter(|result| result.is_none()) {
            *undecided = Some(result());
        }
    }

    /// Whatever is undecided was lost.
    pub(crate) fn finish(mut self, phase: Phase, failure: Failure) -> TransactionResult {
        self.decide_rest(|| match phase {
            Phase::Final => RecipientResult::Unknown { failure },
            _ => RecipientResult::Lost { phase, failure },
        });
        TransactionResult {
            recipients: self.results.into_iter().flatten().collect(),
        }
    }
}

fn is_internationalized(path: &ForwardPath) -> bool {
    matches!(path, ForwardPath::Mailbox(address) if address.is_internationalized())
}

/// What the server lacks, if anything.
fn unsupported(transaction: &Transaction, utf8: bool, extensions: &Extensions) -> Option<RecipientResult> {
    let no = |status, text| Some(RecipientResult::Unsupported { status, text });
    match extensions.size {
        _ if utf8 && !extensions.smtputf8 => no("5.6.7", "The server does not take internationalized addresses"),
        _ if transaction.eight_bit && !extensions.eight_bit_mime => no("5.6.3", "The server takes no 8-bit content"),
        Some(limit) if limit != 0 && transaction.size_octets > limit => {
            no("5.3.4", "The message is larger than the server takes")
        }
        _ => None,
    }
}
