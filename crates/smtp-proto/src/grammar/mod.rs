//! What stands in command lines. Only computes; the replies are chosen by the commands.

mod client;
mod params;
mod path;

pub(crate) use client::parse_client;
pub(crate) use params::{ParamError, parse_mail_params};
pub(crate) use path::{parse_forward_path, parse_reverse_path};
