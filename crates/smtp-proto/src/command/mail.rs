//! MAIL and RCPT, and the answers to what they ask.

use crate::grammar::{ParamError, parse_forward_path, parse_mail_params, parse_reverse_path};
use crate::question::{Answer, Envelope, Question};
use crate::reply::Reply;
use crate::server::Server;
use crate::state::{Access, Client, Mail, State, Waiting};
use postroom_types::{ForwardPath, ReversePath};

impl Server {
    /// RFC 5321 §4.1.1.2.
    pub(crate) fn on_mail(&mut self, state: State, argument: &str) -> State {
        let client = match state {
            // RFC 4954 §6, RFC 3207 §4.
            _ if matches!(self.access, Access::NeedsLogin(_)) => {
                let refusal = if self.tls { Reply::NEED_AUTH } else { Reply::NEED_TLS };
                return self.stay(state, &refusal);
            }
            State::Ready(client) => client,
            State::Connected => {
                self.reply(&Reply::NEED_EHLO);
                return state;
            }
            _ => {
                self.reply(&Reply::NESTED_MAIL);
                return state;
            }
        };
        match self.parse_mail(&client, argument) {
            Ok(mail) => {
                self.ask(Question::Mail {
                    client: client.name.clone(),
                    reverse_path: mail.reverse_path.clone(),
                    params: mail.params.clone(),
                });
                State::Waiting(Waiting::Mail(client, mail))
            }
            Err(reply) => {
                self.reply(&reply);
                State::Ready(client)
            }
        }
    }

    fn parse_mail(&self, client: &Client, argument: &str) -> Result<Mail, Reply> {
        let path = after_keyword(argument, "FROM:").ok_or(Reply::MAIL_SYNTAX)?;
        let (reverse_path, rest) = parse_reverse_path(path).ok_or(Reply::BAD_SENDER)?;
        if !client.extended && !rest.is_empty() {
            // Without EHLO no extension was offered.
            return Err(Reply::UNKNOWN_PARAMETER);
        }
        let submission = !matches!(self.access, Access::Open);
        let params = parse_mail_params(rest, submission).map_err(|e| match e {
            ParamError::Syntax => Reply::BAD_PARAMETER,
            ParamError::Unknown => Reply::UNKNOWN_PARAMETER,
        })?;
        if params.declared_size.is_some_and(|size| size > self.options.size_octets) {
            return Err(Reply::TOO_BIG);
        }
        match &reverse_path {
            ReversePath::Mailbox(address) if address.is_internationalized() && !params.smtputf8 => {
                Err(Reply::NEED_SMTPUTF8)
            }
            _ => Ok(Mail { reverse_path, params }),
        }
    }

    pub(crate) fn mail_answered(&mut self, client: Client, mail: Mail, answer: Answer) -> State {
        match self.verdict(answer, Reply::SENDER_OK) {
            true => State::Mail(client, mail),
            false => State::Ready(client),
        }
    }

    /// RFC 5321 §4.1.1.3.
    pub(crate) fn on_rcpt(&mut self, state: State, argument: &str) -> State {
        let (reverse_path, params, count) = match &state {
            State::Mail(_, mail) => (&mail.reverse_path, &mail.params, 0),
            State::Rcpt(envelope) => (&envelope.reverse_path, &envelope.params, envelope.forward_paths.len()),
            State::Connected => return self.stay(state, &Reply::NEED_EHLO),
            _ => return self.stay(state, &Reply::NEED_MAIL),
        };
        if count >= self.options.recipients {
            return self.stay(state, &Reply::TOO_MANY_RECIPIENTS);
        }
        let forward_path = match parse_rcpt(argument, params.smtputf8) {
            Ok(forward_path) => forward_path,
            Err(reply) => return self.stay(state, &reply),
        };
        self.ask(Question::Recipient {
            reverse_path: reverse_path.clone(),
            forward_path: forward_path.clone(),
            declared_size: params.declared_size,
        });
        match state {
            State::Mail(client, mail) => State::Waiting(Waiting::FirstRecipient(client, mail, forward_path)),
            State::Rcpt(envelope) => State::Waiting(Waiting::Recipient(envelope, forward_path)),
            other => other,
        }
    }

    pub(crate) fn first_recipient_answered(
        &mut self,
        client: Client,
        mail: Mail,
        forward_path: ForwardPath,
        answer: Answer,
    ) -> State {
        match self.verdict(answer, Reply::RECIPIENT_OK) {
            true => State::Rcpt(Envelope {
                client: client.name,
                extended: client.extended,
                tls: self.tls,
                reverse_path: mail.reverse_path,
                params: mail.params,
                forward_paths: vec![forward_path],
            }),
            false => State::Mail(client, mail),
        }
    }

    pub(crate) fn recipient_answered(
        &mut self,
        mut envelope: Envelope,
        forward_path: ForwardPath,
        answer: Answer,
    ) -> State {
        if self.verdict(answer, Reply::RECIPIENT_OK) {
            envelope.forward_paths.push(forward_path);
        }
        State::Rcpt(envelope)
    }
}

fn parse_rcpt(argument: &str, smtputf8: bool) -> Result<ForwardPath, Reply> {
    let path = after_keyword(argument, "TO:").ok_or(Reply::RCPT_SYNTAX)?;
    let (forward_path, rest) = parse_forward_path(path).ok_or(Reply::BAD_RECIPIENT)?;
    match &forward_path {
        _ if !rest.is_empty() => Err(Reply::UNKNOWN_PARAMETER),
        ForwardPath::Mailbox(address) if address.is_internationalized() && !smtputf8 => Err(Reply::NEED_SMTPUTF8),
        _ => Ok(forward_path),
    }
}

/// What stands behind `FROM:` or `TO:`. Spaces before the path are not in the grammar, but common.
fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, path) = argument.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| path.trim_start_matches(' '))
}
