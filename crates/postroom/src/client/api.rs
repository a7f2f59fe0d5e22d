//! One HTTP client for all commands.

use super::Result;
use super::call::Call;
use super::failure::{Exit, Failure};
use super::place::Place;
use crate::cli::client::{ApiArgs, Within};
use reqwest::header::{HeaderMap, LINK};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// Longest silence of a server; a request that waits answers within 55 seconds.
pub(super) const SILENCE: Duration = Duration::from_secs(75);
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// A server and a key.
pub(super) struct Api {
    http: Client,
    url: String,
    key: String,
    /// Whether answers are printed as JSON.
    pub(super) json: bool,
}

impl Api {
    pub(super) fn new(args: &ApiArgs) -> Result<Self> {
        if args.key.is_empty() {
            return Err(Failure::new(
                Exit::Key,
                "no API key: give --key or set POSTROOM_API_KEY",
            ));
        }
        Self::with_or_without_key(args)
    }

    pub(super) fn with_or_without_key(args: &ApiArgs) -> Result<Self> {
        let http = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE);
        // The key is for this server alone.
        let http = http.redirect(Policy::none()).build()?;
        Ok(Self {
            http,
            url: args.url.trim_end_matches('/').to_owned(),
            key: args.key.clone(),
            json: args.json,
        })
    }

    /// Whether the key is the operator's.
    pub(super) fn is_operator(&self) -> bool {
        self.key.starts_with("sa_")
    }

    /// Whether the key is one that provisions inboxes, with their passwords.
    pub(super) fn provisions(&self) -> bool {
        self.key.starts_with("tk_") || self.key.starts_with("wk_")
    }

    /// For what the Inkbox API alone has: it takes keys of whole organizations, and of agents for what is their own.
    pub(super) fn for_agents(&self) -> Result<()> {
        if ["sa_", "wk_", "am_"].iter().any(|other| self.key.starts_with(other)) {
            return Err(Failure::new(
                Exit::Key,
                "this takes the key of an organization (tk_), or of an agent (ak_) for what is its own",
            ));
        }
        Ok(())
    }

    /// Whether the key is of the AgentMail API, in which an inbox is called by its address alone.
    pub(super) fn is_agentmail(&self) -> bool {
        self.key.starts_with("am_")
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.key.as_str() {
            "" => request,
            key => request.header("X-API-Key", key),
        }
    }

    /// Sends it and looks at the status.
    pub(super) async fn answered(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.json().await.unwrap_or_default();
        let failure = Failure::answered(status, &body);
        Err(match self.is_operator() && failure.exit() == Exit::Key {
            true => failure.with_advice(
                "An operator key opens no mail and no organization: use one of the organization. \
                     `postroom org postmaster --new-key` makes one for the mail of postmaster@ and abuse@.",
            ),
            false => failure,
        })
    }

    /// The JSON of the answer; `null` if it has none.
    pub(super) async fn json(&self, request: RequestBuilder) -> Result<Value> {
        Ok(self.json_and_next(request).await?.0)
    }

    /// The same, and the cursor of the next page if the header names one.
    pub(super) async fn json_and_next(&self, request: RequestBuilder) -> Result<(Value, Option<String>)> {
        let response = self.answered(request).await?;
        let next = next_cursor(response.headers());
        let bytes = response.bytes().await?;
        if bytes.is_empty() {
            return Ok((Value::Null, next));
        }
        let read = serde_json::from_slice(&bytes);
        let read = read.map_err(|_| Failure::failed(format!("{}: the answer is not JSON", self.url)))?;
        Ok((read, next))
    }

    pub(super) async fn get(&self, place: &Place) -> Result<Value> {
        self.json(self.request(Method::GET, &place.path()?)).await
    }

    /// What is fetched without a key, from this server if it is one of its own links.
    pub(super) async fn link(&self, url: &str) -> Result<Response> {
        self.answered(self.http.get(self.own_link(url, "/postroom/v1/download/")))
            .await
    }

    /// A link, to this server if it is one of its own: it may be known to others by another name than to us.
    pub(super) fn own_link(&self, url: &str, path: &str) -> String {
        let own = url.find(path).map(|at| format!("{}{}", self.url, &url[at..]));
        own.unwrap_or_else(|| url.to_owned())
    }

    /// The part of what the key sees that is meant.
    pub(super) async fn within(&self, within: &Within) -> Result<Place> {
        match (&within.inbox, &within.pod) {
            (Some(inbox), _) => self.inbox(inbox).await,
            (None, Some(pod)) => Ok(Place::v0(&["pods", pod])),
            (None, None) => Ok(Place::v0(&[])),
        }
    }

    /// An inbox, named by its address or its id.
    pub(super) async fn inbox(&self, inbox: &str) -> Result<Place> {
        if inbox.contains('@') {
            return Ok(Place::v0(&["inboxes", inbox]));
        }
        if self.is_agentmail() {
            return Err(Failure::not_found(format!(
                "no inbox {inbox}: it is called by its address"
            )));
        }
        let found = self.get(&Place::v1(&["inboxes", inbox])).await?;
        let address = found["email"].as_str().unwrap_or_default();
        Ok(Place::v0(&["inboxes", address]))
    }

    /// The id of an inbox, named by it or by one of its addresses.
    pub(super) async fn inbox_id(&self, inbox: &str) -> Result<String> {
        if !inbox.contains('@') {
            return Ok(inbox.to_owned());
        }
        let is_named = |found: &&Value| {
            let addresses = found["addresses"].as_array().into_iter().flatten();
            addresses
                .filter_map(|entry| entry["address"].as_str())
                .any(|address| address.eq_ignore_ascii_case(inbox))
        };
        let mut cursor: Option<String> = None;
        loop {
            let call = Call::get(Place::v1(&["inboxes"])).asks("cursor", &cursor);
            let page = call.answer(self).await?;
            let found = page["inboxes"].as_array().into_iter().flatten().find(is_named);
            if let Some(id) = found.and_then(|found| found["id"].as_str()) {
                return Ok(id.to_owned());
            }
            let next = page["nextCursor"].as_str().map(str::to_owned);
            // One that leads nowhere else would lead there for ever.
            if next.is_none() || next == cursor {
                return Err(Failure::not_found(format!("no inbox {inbox}")));
            }
            cursor = next;
        }
    }
}

/// The cursor in `Link: <…>; rel="next"` (RFC 8288 §3).
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, about) = link.strip_prefix('<')?.split_once('>')?;
    let (_, query) = target.split_once('?').filter(|_| about.contains("rel=\"next\""))?;
    let cursor = query.split('&').find_map(|field| field.strip_prefix("cursor="));
    cursor.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, whole};
    use super::*;

    #[tokio::test]
    async fn an_inbox_is_looked_for_on_every_page() {
        let first = r#"{"inboxes":[{"id":"1","addresses":[{"address":"a@b"}]}],"nextCursor":"1"}"#;
        let last = r#"{"inboxes":[{"id":"2","addresses":[{"address":"x@b"},{"address":"c@d"}]}]}"#;
        let stub = Stub::new(vec![
            ("get /v1/inboxes", 200, whole(first)),
            ("get /v1/inboxes?cursor=1", 200, whole(last)),
        ])
        .await;
        assert_eq!(stub.api.inbox_id("C@d").await.ok().as_deref(), Some("2"));
        let failure = stub.api.inbox_id("e@f").await.expect_err("there is none");
        assert_eq!(failure.exit(), Exit::NotFound);
        assert_eq!(stub.asked().len(), 4);
    }
}
