//! One call of the API and how its answer is shown: each command is a row of these.

use super::Result;
use super::api::Api;
use super::failure::Failure;
use super::place::{Place, escaped};
use super::show::{self, Shown};
use super::table::Table;
use crate::cli::client::{Filter, Paging, Time};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Most items the API gives at once.
const PAGE: u64 = 100;

/// A call.
pub(super) struct Call<'a> {
    method: Method,
    place: Place,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    idempotency_key: Option<&'a str>,
    /// Which part of a list in the answer.
    paging: Option<(&'a Paging, Pages)>,
    /// What the answer is called if it is a list and nothing else.
    named: Option<&'static str>,
    shown: Shown,
}

/// How a list is told page by page: what its rows, the way to the next page, and the parameter for it are called.
#[derive(Clone, Copy, Debug)]
struct Pages {
    rows: &'static str,
    next: &'static str,
    token: &'static str,
}

/// Where an answer tells that there is more, and the option that leads there.
const TOKENS: [(&str, &str); 3] = [
    ("next_page_token", "--page"),
    ("next_cursor", "--page"),
    ("next", "--after"),
];

impl<'a> Call<'a> {
    fn new(method: Method, place: Place, body: Option<Value>) -> Self {
        Self {
            method,
            place,
            query: Vec::new(),
            body,
            idempotency_key: None,
            paging: None,
            named: None,
            shown: Shown::Fields,
        }
    }

    pub(super) fn get(place: Place) -> Self {
        Self::new(Method::GET, place, None)
    }

    pub(super) fn post(place: Place, body: Value) -> Self {
        Self::new(Method::POST, place, Some(body))
    }

    pub(super) fn patch(place: Place, body: Value) -> Self {
        Self::new(Method::PATCH, place, Some(body))
    }

    pub(super) fn delete(place: Place) -> Self {
        Self::new(Method::DELETE, place, None)
    }

    /// A list whose pages are put together.
    pub(super) fn list(place: Place, paging: &'a Paging, table: &'static Table) -> Self {
        Self::get(place).paged(paging, table.rows).shown(Shown::Table(table))
    }

    /// The same of the Inkbox API.
    pub(super) fn cursor_list(place: Place, paging: &'a Paging, table: &'static Table) -> Self {
        let pages = Pages {
            rows: table.rows,
            next: "next_cursor",
            token: "cursor",
        };
        Self {
            paging: Some((paging, pages)),
            ..Self::get(place).shown(Shown::Table(table))
        }
    }

    /// With a list in the answer whose pages are put together.
    pub(super) fn paged(self, paging: &'a Paging, rows: &'static str) -> Self {
        let pages = Pages {
            rows,
            next: "next_page_token",
            token: "page_token",
        };
        Self {
            paging: Some((paging, pages)),
            ..self
        }
    }

    /// A list that the server tells without a name.
    pub(super) fn bare_list(place: Place, table: &'static Table) -> Self {
        Self {
            named: Some(table.rows),
            ..Self::get(place).shown(Shown::Table(table))
        }
    }

    pub(super) fn shown(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    /// Done once, however often it is sent.
    pub(super) fn once(self, idempotency_key: Option<&'a str>) -> Self {
        Self {
            idempotency_key,
            ..self
        }
    }

    /// A parameter of the query, as often as there are values.
    pub(super) fn asks(mut self, name: &'static str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        let values = values.into_iter().map(|value| (name, value.to_string()));
        self.query.extend(values);
        self
    }

    /// A parameter that is there or not.
    pub(super) fn flag(self, name: &'static str, is_set: bool) -> Self {
        self.asks(name, is_set.then_some("true"))
    }

    pub(super) fn time(self, time: &Time) -> Self {
        self.asks("before", &time.before).asks("after", &time.after)
    }

    /// What lists of messages and of threads leave out; the two call who sent and who received differently.
    pub(super) fn filter(self, filter: &Filter, [from, to]: [&'static str; 2]) -> Self {
        self.asks("labels", &filter.label)
            .time(&filter.time)
            .asks(from, &filter.from)
            .asks(to, &filter.to)
            .asks("subject", &filter.subject)
            .flag("ascending", filter.ascending)
            .flag("include_spam", filter.spam)
            .flag("include_trash", filter.trash)
            .flag("include_blocked", filter.blocked)
            .flag("include_unauthenticated", filter.unauthenticated)
    }

    /// Path and query.
    pub(super) fn target(&self, further: &[(&str, String)]) -> Result<String> {
        let own = self.query.iter().map(|(name, value)| (*name, value));
        let all = own.chain(further.iter().map(|(name, value)| (*name, value)));
        let query: Vec<String> = all.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let path = self.place.path()?;
        Ok(match query.is_empty() {
            true => path,
            false => format!("{path}?{}", query.join("&")),
        })
    }

    async fn send(&self, api: &Api, further: &[(&str, String)]) -> Result<(Value, Option<String>)> {
        let mut request = api.request(self.method.clone(), &self.target(further)?);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        if let Some(key) = self.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        api.json_and_next(request).await
    }

    /// The answer.
    pub(super) async fn answer(&self, api: &Api) -> Result<Value> {
        match self.paging {
            Some((paging, pages)) => self.pages(api, paging, pages).await,
            None => Ok(match (self.send(api, &[]).await?, self.named) {
                ((list @ Value::Array(_), None), Some(name)) => json!({ name: list }),
                ((list @ Value::Array(_), Some(next)), Some(name)) => json!({ name: list, "next_cursor": next }),
                ((answer, _), _) => answer,
            }),
        }
    }

    /// As many pages as were asked for, as if they were one.
    async fn pages(&self, api: &Api, paging: &Paging, pages: Pages) -> Result<Value> {
        let name = pages.rows;
        let mut left = if paging.all { u64::MAX } else { paging.limit };
        let (mut token, mut rows) = (paging.token.clone(), Vec::new());
        loop {
            let mut further = vec![("limit", left.min(PAGE).to_string())];
            further.extend(token.iter().map(|token| (pages.token, token.clone())));
            let (mut answer, _) = self.send(api, &further).await?;
            let page = answer[name].as_array_mut().map(std::mem::take);
            let page = page.ok_or_else(|| Failure::failed(format!("the answer has no {name}")))?;
            left = left.saturating_sub(page.len() as u64);
            rows.extend(page);
            let next = answer[pages.next].as_str().map(str::to_owned);
            // One that leads nowhere else would lead there for ever.
            if left == 0 || next.is_none() || next == token {
                if let Some(count) = answer.get_mut("count") {
                    *count = rows.len().into();
                }
                answer[name] = rows.into();
                return Ok(answer);
            }
            token = next;
        }
    }

    /// Makes the call and prints the answer.
    pub(super) async fn run(&self, api: &Api) -> Result<()> {
        let answer = self.answer(api).await?;
        show::print(api, &answer, &self.shown)?;
        for (field, option) in TOKENS {
            if let (false, Some(next)) = (api.json, answer[field].as_str()) {
                eprintln!("postroom: there is more: {option} {next}");
            }
        }
        Ok(())
    }
}

/// A JSON object without the fields that were not given.
pub(super) fn given(body: Value) -> Value {
    let Value::Object(mut fields) = body else { return body };
    fields.retain(|_, value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    });
    Value::Object(fields)
}

/// `NAME: VALUE` or `NAME=VALUE`, several times, as an object.
pub(super) fn pairs(texts: &[String], separator: char) -> Result<Map<String, Value>> {
    let mut pairs = Map::new();
    for text in texts {
        let (name, value) = text
            .split_once(separator)
            .ok_or_else(|| Failure::usage(format!("{text:?} has no {separator:?} in it")))?;
        pairs.insert(name.trim().to_owned(), value.trim().into());
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, whole};
    use super::super::table::{IDENTITIES, IMPORTS};
    use super::*;

    #[tokio::test]
    async fn lists_of_the_inkbox_api() {
        let first = r#"{"items":[{"id":"1"}],"has_more":true,"next_cursor":"c"}"#;
        let last = r#"{"items":[{"id":"2"}],"has_more":false,"next_cursor":null}"#;
        let stub = Stub::new(vec![
            ("get /api/v1/x?limit=100", 200, whole(first)),
            ("get /api/v1/x?limit=100&cursor=c", 200, whole(last)),
            ("get /api/v1/y", 200, whole(r#"[{"id":"3"}]"#)),
            (
                "get /api/v1/z",
                200,
                format!(
                    "link: <?limit=1&cursor=c>; rel=\"next\"\r\n{}",
                    whole(r#"[{"id":"4"}]"#)
                ),
            ),
        ])
        .await;
        let paging = Paging {
            limit: 50,
            all: true,
            token: None,
        };
        let all = Call::cursor_list(Place::inkbox(&["x"]), &paging, &IMPORTS);
        let all = all.answer(&stub.api).await.ok();
        let expected = json!({ "items": [{ "id": "1" }, { "id": "2" }], "has_more": false, "next_cursor": null });
        assert_eq!(all, Some(expected));
        let bare = Call::bare_list(Place::inkbox(&["y"]), &IDENTITIES)
            .answer(&stub.api)
            .await
            .ok();
        assert_eq!(bare, Some(json!({ "identities": [{ "id": "3" }] })));
        let first = Call::bare_list(Place::inkbox(&["z"]), &IDENTITIES);
        let first = first.answer(&stub.api).await.ok();
        assert_eq!(
            first,
            Some(json!({ "identities": [{ "id": "4" }], "next_cursor": "c" }))
        );
    }

    #[test]
    fn what_is_not_given_is_left_out() {
        let body = json!({ "a": null, "b": [], "c": {}, "d": "", "e": false, "f": [null], "g": 0 });
        assert_eq!(given(body), json!({ "d": "", "e": false, "f": [null], "g": 0 }));
    }

    #[test]
    fn pairs_have_a_separator() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let header = pairs(&texts(&["X-A: b: c", "X-D:"]), ':').expect("pairs");
        assert_eq!(Value::Object(header), json!({ "X-A": "b: c", "X-D": "" }));
        assert!(pairs(&texts(&["X-A"]), ':').is_err());
    }

    #[test]
    fn queries_are_escaped() {
        let call = Call::get(Place::v0(&["x"]))
            .asks("q", ["a b", "c&d"])
            .flag("e", true)
            .flag("f", false);
        let target = call.target(&[("limit", "3".to_owned())]).expect("a path");
        assert_eq!(target, "/v0/x?q=a%20b&q=c%26d&e=true&limit=3");
    }
}
