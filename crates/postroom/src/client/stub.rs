//! A server for tests: it answers from a table and keeps what it was asked.

use super::api::Api;
use crate::cli::client::ApiArgs;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Method and path with its query, status, and what comes after the status line's end.
pub(super) type Row = (&'static str, u16, String);

/// A body as it should be.
pub(super) fn whole(body: impl ToString) -> String {
    let body = body.to_string();
    format!("content-length: {}\r\n\r\n{body}", body.len())
}

pub(super) struct Stub {
    pub(super) api: Api,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// What is not in the table is 404.
    pub(super) async fn new(rows: Vec<Row>) -> Self {
        Self::with(rows, false).await
    }

    /// Of those that are for the same, each answers once.
    pub(super) async fn in_turn(rows: Vec<Row>) -> Self {
        Self::with(rows, true).await
    }

    async fn with(mut rows: Vec<Row>, in_turn: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let at = answer(stream, &rows, &seen).await.expect("a request");
                if let Some(at) = at.filter(|_| in_turn) {
                    rows.remove(at);
                }
            }
        });
        let args = ApiArgs {
            url,
            key: "tk_x".to_owned(),
            json: true,
        };
        let api = Api::new(&args)
            .map_err(|failure| failure.to_string())
            .expect("a client");
        Self { api, asked }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// Answers a request; which row it was.
async fn answer(stream: TcpStream, rows: &[Row], asked: &Mutex<Vec<String>>) -> std::io::Result<Option<usize>> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).await? > 2 {
        head.push_str(&std::mem::take(&mut line).to_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await?;
    let target = head.split(" http/").next().unwrap_or_default();
    asked.lock().expect("no panic").push(target.to_owned());
    let at = rows.iter().position(|(row, ..)| *row == target);
    let (status, rest) = match at {
        Some(at) => (rows[at].1, rows[at].2.clone()),
        None => (404, whole("{}")),
    };
    let text = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{rest}");
    stream.get_mut().write_all(text.as_bytes()).await?;
    Ok(at)
}
