//! HTTP to places that users name: webhooks, and attachments that are given as a URL.
//!
//! What always holds:
//! - The addresses of a name are looked up here, each is checked, and the connection goes to one of those that were
//!   checked; so a name that answers differently the second time (DNS rebinding) gains nothing.
//! - One address that is not allowed refuses the whole target: a name with a private address among its public ones is
//!   an attempt, not a choice.
//! - Redirects are never followed and proxies of the environment never used.
//! - A request has one deadline for all of it, and no more of an answer is read than asked for.

mod error;
mod names;
mod target;

pub use error::OutgoingError;
pub use names::{DnsNames, Names};
pub use postroom_types::Reach;
pub use target::Target;

use bytes::{Bytes, BytesMut};
use names::Checked;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What outgoing requests are bound to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which addresses may be talked to. Default: only those of the public network.
    pub reach: Reach,
    /// Name servers to ask; those of the system's configuration if empty.
    pub servers: Vec<SocketAddr>,
    /// What `User-Agent` says. Default `postroom`.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reach: Reach::Public,
            servers: Vec::new(),
            user_agent: "postroom".into(),
        }
    }
}

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From the lookup of the name to the last octet that is read.
    pub deadline: Duration,
    /// Octets read of the answer's body; the rest is left and the connection closed.
    pub answer_octets: usize,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code; a redirect is an answer like any other.
    pub status: u16,
    /// `Content-Type`, if it is text.
    pub content_type: Option<String>,
    /// `Location`, if it is text.
    pub location: Option<String>,
    /// The body, at most as much as asked for.
    pub body: Bytes,
    /// Whether the body went on beyond that.
    pub cut: bool,
}

impl Answer {
    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// A client for places that users name. Cheap to clone.
#[derive(Clone)]
pub struct OutgoingHttp {
    client: reqwest::Client,
    reach: Reach,
}

impl OutgoingHttp {
    /// A client that asks DNS.
    ///
    /// # Errors
    /// [`OutgoingError::Setup`] if the system's DNS configuration cannot be read, or TLS not be set up.
    pub fn new(options: &Options) -> Result<Self, OutgoingError> {
        let names = DnsNames::new(&options.servers)?;
        Self::with_names(options, Arc::new(names))
    }

    /// A client that asks somebody else for the addresses of names.
    ///
    /// # Errors
    /// [`OutgoingError::Setup`] if TLS cannot be set up.
    pub fn with_names(options: &Options, names: Arc<dyn Names>) -> Result<Self, OutgoingError> {
        let checked = Arc::new(Checked::new(names, options.reach));
        let builder = || {
            reqwest::Client::builder()
                .user_agent(options.user_agent.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(Duration::from_secs(10))
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(8)
                .tcp_nodelay(true)
                .dns_resolver(Arc::clone(&checked))
        };
        // A machine without a certificate store gets the roots we bring along.
        let client = builder()
            .build()
            .or_else(|_| builder().tls_backend_preconfigured(own_roots()).build());
        let client = client.map_err(|error| OutgoingError::Setup(error.to_string()))?;
        Ok(Self {
            client,
            reach: options.reach,
        })
    }

    /// Reads where a request is to go. Names are not looked up yet; an address that is not allowed is refused here.
    ///
    /// # Errors
    /// [`OutgoingError::BadUrl`], [`OutgoingError::Forbidden`].
    pub fn target(&self, url: &str) -> Result<Target, OutgoingError> {
        Target::parse(url, self.reach)
    }

    /// Fetches.
    ///
    /// # Errors
    /// [`OutgoingError::Forbidden`] if the target has an address that is not allowed; [`OutgoingError::TimedOut`];
    /// [`OutgoingError::Failed`] if there was no answer.
    pub async fn get(&self, target: &Target, bounds: Bounds) -> Result<Answer, OutgoingError> {
        self.exchange(self.client.get(target.url()), bounds).await
    }

    /// Where a redirect leads (RFC 9110 §15.4), checked like any other target; `None` if the answer is none.
    ///
    /// # Errors
    /// Those of [`target`](Self::target).
    pub fn redirected(&self, from: &Target, answer: &Answer) -> Result<Option<Target>, OutgoingError> {
        let leads_on = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        match answer.location.as_deref().filter(|_| leads_on) {
            Some(location) => from.join(location, self.reach).map(Some),
            None => Ok(None),
        }
    }

    /// Posts a body.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); [`OutgoingError::Failed`] also for a header field that HTTP cannot carry.
    pub async fn post(
        &self,
        target: &Target,
        fields: &[(String, String)],
        body: Bytes,
        bounds: Bounds,
    ) -> Result<Answer, OutgoingError> {
        let mut request = self.client.post(target.url()).body(body);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        self.exchange(request, bounds).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, bounds: Bounds) -> Result<Answer, OutgoingError> {
        let exchange = async {
            let mut response = request.send().await?;
            let (mut body, mut cut) = (BytesMut::new(), false);
            while let Some(chunk) = response.chunk().await? {
                let room = bounds.answer_octets - body.len();
                cut = chunk.len() > room;
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if cut {
                    break;
                }
            }
            let field = |name| {
                let value = response.headers().get(name);
                value.and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            Ok(Answer {
                status: response.status().as_u16(),
                content_type: field(reqwest::header::CONTENT_TYPE),
                location: field(reqwest::header::LOCATION),
                body: body.freeze(),
                cut,
            })
        };
        match tokio::time::timeout(bounds.deadline, exchange).await {
            Ok(answer) => answer.map_err(|error: reqwest::Error| OutgoingError::from_client(&error)),
            Err(_) => Err(OutgoingError::TimedOut),
        }
    }
}

fn own_roots() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
