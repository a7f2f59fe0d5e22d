//! One HTTP client for all commands.

use crate::Outcome;
use crate::cli::ApiArgs;
use serde_json::Value;
use std::time::Duration;

/// A server and a key.
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Api {
    pub(crate) fn new(args: &ApiArgs) -> Outcome<Self> {
        if args.key.is_empty() {
            return Err("no API key: give --key or set POSTROOM_API_KEY".into());
        }
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self {
            http,
            url: args.url.trim_end_matches('/').to_owned(),
            key: args.key.clone(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Outcome<Value> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Outcome<Value> {
        self.send(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// The path of an inbox named by its id or by one of its addresses.
    pub(crate) async fn inbox_path(&self, inbox: &str) -> Outcome<String> {
        if !inbox.contains('@') {
            return Ok(format!("/v1/inboxes/{inbox}"));
        }
        let all = self.get("/v1/inboxes").await?;
        let is_named = |found: &&Value| {
            let addresses = found["addresses"].as_array().into_iter().flatten();
            addresses
                .filter_map(|entry| entry["address"].as_str())
                .any(|address| address.eq_ignore_ascii_case(inbox))
        };
        let found = all["inboxes"].as_array().into_iter().flatten().find(is_named);
        let id = found
            .and_then(|found| found["id"].as_str())
            .ok_or_else(|| format!("no inbox {inbox}"))?;
        Ok(format!("/v1/inboxes/{id}"))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Outcome<Value> {
        let response = request.header("X-API-Key", &self.key).send().await?;
        let status = response.status();
        let body: Value = response
            .json()
            .await
            .map_err(|_| format!("{status}: the answer is not JSON"))?;
        if status.is_success() {
            return Ok(body);
        }
        let text = body["error"].as_str().unwrap_or("no reason given");
        Err(format!("{status}: {text}").into())
    }
}
