//! The SMTP server as a value: bytes and answers in, actions out.

mod question;
mod reply;

pub use question::{Answer, Envelope, MailParams, Question};
pub use reply::Reply;
