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

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.send(self.http.patch(format!("{}{path}", self.url)).json(body))
            .await
    }

    /// An answer that is no JSON object, as it comes.
    pub(crate) async fn octets(&self, path: &str) -> Outcome<Vec<u8>> {
        let request = self.http.get(format!("{}{path}", self.url));
        let response = request.header("X-API-Key", &self.key).send().await.map_err(innermost)?;
        if response.status().is_success() {
            return Ok(response.bytes().await?.to_vec());
        }
        Err(failure(response).await)
    }

    pub(crate) async fn delete(&self, path: &str) -> Outcome<Value> {
        self.send(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// A value as a segment of a path or in a query: what means something there is escaped (RFC 3986 §2).
    pub(crate) fn segment(value: &str) -> String {
        let escape = |byte: u8| match byte {
            b'-' | b'.' | b'_' | b'~' | b'@' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        value.bytes().map(escape).collect()
    }

    /// The path of an inbox named by its id or by one of its addresses.
    pub(crate) async fn inbox_path(&self, inbox: &str) -> Outcome<String> {
        Ok(format!("/v1/inboxes/{}", self.inbox_id(inbox).await?))
    }

    /// Its path among our own routes.
    pub(crate) async fn own_inbox_path(&self, inbox: &str) -> Outcome<String> {
        Ok(format!("/postroom/v1/inboxes/{}", self.inbox_id(inbox).await?))
    }

    async fn inbox_id(&self, inbox: &str) -> Outcome<String> {
        if !inbox.contains('@') {
            return Ok(Self::segment(inbox));
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
        Ok(id.to_owned())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Outcome<Value> {
        let response = request.header("X-API-Key", &self.key).send().await.map_err(innermost)?;
        if response.status().is_success() {
            return Ok(response.json().await?);
        }
        Err(failure(response).await)
    }
}

/// What is below "error sending request": a refused connection, a name that is not found.
fn innermost(error: reqwest::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    let url = error.url().map_or_else(String::new, |url| format!("{url}: "));
    format!("{url}{cause}").into()
}

/// What the server says went wrong.
async fn failure(response: reqwest::Response) -> Box<dyn std::error::Error + Send + Sync> {
    let status = response.status();
    match response.json::<Value>().await {
        Ok(body) => format!("{status}: {}", body["error"].as_str().unwrap_or("no reason given")).into(),
        Err(_) => format!("{status}: the answer is not JSON").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_keep_their_meaning() {
        for (value, expected) in [
            ("scout@example.test", "scout@example.test"),
            ("a/b?c=d&e#f%", "a%2Fb%3Fc%3Dd%26e%23f%25"),
            ("ü", "%C3%BC"),
            ("..", ".."),
        ] {
            assert_eq!(Api::segment(value), expected);
        }
    }
}
