//! Commands that talk to a running server over its HTTP API.
//!
//! What always holds: what a command prints on standard output is its answer and nothing else; why it failed is said on
//! standard error, and by the exit code. Mail is foreign text: none of its control characters reach a terminal.

mod account;
mod api;
mod call;
mod domain;
mod download;
mod draft;
mod events;
mod failure;
mod history;
mod identity;
mod import;
mod inbox;
mod letter;
mod message;
mod organization;
mod place;
mod queue;
mod rules;
mod show;
mod stream;
#[cfg(test)]
mod stub;
mod table;
mod thread;
mod upload;
mod wait;
mod width;

use crate::cli::client::{ApiArgs, Client};
use api::Api;
use failure::{Exit, Failure};
use std::process::ExitCode;

/// What a command comes to.
type Result<T> = std::result::Result<T, Failure>;

/// Runs a command and says on standard error what went wrong.
pub(crate) async fn run(client: &Client) -> ExitCode {
    let failure = match done(client).await {
        Ok(()) => return Exit::Done.into(),
        Err(failure) => failure,
    };
    if failure.exit() != Exit::Done {
        eprintln!("postroom: {failure}");
    }
    failure.exit().into()
}

async fn done(client: &Client) -> Result<()> {
    let api = |args: &ApiArgs| Api::new(args);
    match client {
        Client::Org(group) => account::org(&api(&group.api)?, &group.verb).await,
        Client::Pod(group) => account::pod(&api(&group.api)?, &group.verb).await,
        Client::Key(group) => account::key(&api(&group.api)?, &group.verb).await,
        Client::Inbox(group) => inbox::inbox(&api(&group.api)?, &group.verb).await,
        Client::Identity(group) => identity::identity(&api(&group.api)?, &group.verb).await,
        Client::Import(group) => import::import(group).await,
        Client::Message(group) => message::message(&api(&group.api)?, &group.verb).await,
        Client::Thread(group) => thread::thread(&api(&group.api)?, &group.verb).await,
        Client::Draft(group) => draft::draft(&api(&group.api)?, &group.verb).await,
        Client::List(group) => rules::list(&api(&group.api)?, &group.verb).await,
        Client::Webhook(group) => rules::webhook(&api(&group.api)?, &group.verb).await,
        Client::Metrics(group) => rules::metrics(&api(&group.api)?, &group.verb).await,
        Client::Events(group) => events::events(&api(&group.api)?, &group.verb).await,
        Client::Domain(group) => domain::domain(&api(&group.api)?, &group.verb).await,
        Client::Queue(group) => queue::queue(&api(&group.api)?, &group.verb).await,
        Client::Agent(group) => account::agent(&Api::with_or_without_key(&group.api)?, &group.verb).await,
        Client::Whoami { api: args } => account::whoami(&api(args)?).await,
    }
}
