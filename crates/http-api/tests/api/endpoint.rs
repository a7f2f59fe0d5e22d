//! A local endpoint for webhooks that keeps what it gets.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

pub(crate) struct Endpoint {
    pub(crate) url: String,
    hits: Arc<Mutex<Vec<Hit>>>,
    status: Arc<AtomicU16>,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let (hits, status) = (Arc::<Mutex<Vec<Hit>>>::default(), Arc::new(AtomicU16::new(200)));
        let (kept, answers) = (Arc::clone(&hits), Arc::clone(&status));
        let receive = async move |headers: HeaderMap, text: String| {
            let body = serde_json::from_str(&text).unwrap();
            kept.lock().unwrap().push(Hit { headers, text, body });
            (StatusCode::from_u16(answers.load(Ordering::Relaxed)).unwrap(), "heard")
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let app = Router::new().route("/in", post(receive));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, hits, status }
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// Waits until so many came.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Hit> {
        for _ in 0..1500 {
            let hits = self.hits();
            if hits.len() >= count {
                return hits;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} requests instead of {count}: {:?}", self.hits().len(), self.types());
    }

    /// That no more come for a while.
    pub(crate) async fn stays_at(&self, count: usize) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(self.hits().len(), count, "{:?}", self.types());
    }

    fn types(&self) -> Vec<Value> {
        self.hits()
            .into_iter()
            .map(|hit| hit.body["event_type"].clone())
            .collect()
    }
}

impl Hit {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The signature of id, time and body as Inkbox's client computes it.
    pub(crate) fn inkbox_signature(&self, secret: &str) -> String {
        let (id, seconds) = (self.header("x-inkbox-request-id"), self.header("x-inkbox-timestamp"));
        signature(secret, &format!("{id}.{seconds}.{}", self.text))
    }

    #[track_caller]
    pub(crate) fn is_signed_with(&self, secret: &str) {
        assert_eq!(self.header("x-inkbox-signature"), self.inkbox_signature(secret));
        let seconds: i64 = self.header("x-inkbox-timestamp").parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - seconds).abs() < 300);
    }
}

/// `sha256=` and the HMAC with the text of the secret.
pub(crate) fn signature(secret: &str, text: &str) -> String {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let octets = mac.finalize().into_bytes();
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={digits}")
}
