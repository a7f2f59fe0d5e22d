//! What answers on the sockets.

use super::Server;
use crate::Outcome;
use crate::config::Config;
use crate::core::{Core, Mode};
use bytes::Bytes;
use postroom_http_api as http_api;
use postroom_net::{Answerer, ListenerOptions, Peer, TlsConfig};
use std::sync::Arc;
use tokio::net::TcpListener;

const SMTP_FULL: &[u8] = b"421 4.3.2 Too many connections, try later\r\n";
const IMAP_FULL: &[u8] = b"* BYE [UNAVAILABLE] Too many connections, try later\r\n";

impl Server {
    pub(super) fn serve_smtp_in(&mut self, listeners: Vec<TcpListener>, core: &Core, config: &Config) -> Outcome<()> {
        // Some large senders break on TLS 1.3 session tickets.
        let tls = self.tls(false)?;
        let protocol = postroom_smtp_proto::Options {
            hostname: config.hostname.clone(),
            starttls: tls.is_some(),
            size_octets: config.limits.message_octets,
            ..postroom_smtp_proto::Options::default()
        };
        let service = Arc::new(postroom_smtp_in::Service::new(
            Arc::clone(&core.identity),
            Arc::clone(&core.mailstore),
            Arc::clone(&core.intake),
            Arc::clone(&core.queue),
            core.verifier.clone(),
            core.spooler.clone(),
            postroom_smtp_in::Options { protocol },
        ));
        let options = ListenerOptions {
            limits: limits(config),
            tls,
            implicit_tls: false,
            refusal: Bytes::from_static(SMTP_FULL),
        };
        self.spawn(listeners, &options, move |peer: &Peer| service.session(peer));
        Ok(())
    }

    pub(super) fn serve_submission(
        &mut self,
        starttls: Vec<TcpListener>,
        implicit_tls: Vec<TcpListener>,
        core: &Core,
        config: &Config,
    ) -> Outcome<()> {
        let tls = self.tls(true)?;
        let protocol = postroom_smtp_proto::Options {
            hostname: config.hostname.clone(),
            starttls: tls.is_some(),
            size_octets: config.limits.message_octets,
            ..postroom_smtp_proto::Options::default()
        };
        let service = Arc::new(postroom_smtp_submission::Service::new(
            Arc::clone(&core.identity),
            Arc::clone(&core.intake),
            core.spooler.clone(),
            postroom_smtp_submission::Options {
                protocol,
                ..postroom_smtp_submission::Options::default()
            },
        ));
        if tls.is_none() && !(starttls.is_empty() && implicit_tls.is_empty()) {
            tracing::warn!(
                "listen.submission and listen.submissions are of no use without a certificate: nobody can log in"
            );
        }
        self.spawn_both(starttls, implicit_tls, tls, SMTP_FULL, config, move |peer: &Peer| {
            service.session(peer)
        });
        Ok(())
    }

    pub(super) fn serve_imap(
        &mut self,
        starttls: Vec<TcpListener>,
        implicit_tls: Vec<TcpListener>,
        core: &Core,
        config: &Config,
        mode: Mode,
    ) -> Outcome<()> {
        let tls = self.tls(true)?;
        let protocol = postroom_imap_proto::Options {
            hostname: config.hostname.clone(),
            starttls: tls.is_some(),
            append_limit_octets: config.limits.message_octets,
            literal_minus: config.imap.literal_minus,
            compress: config.imap.compress,
            ..postroom_imap_proto::Options::default()
        };
        let service = Arc::new(postroom_imap::Service::new(
            Arc::clone(&core.identity),
            Arc::clone(&core.mailstore),
            Arc::clone(&core.intake),
            core.spooler.clone(),
            postroom_imap::Options {
                protocol,
                loopback_login: mode == Mode::Dev,
                ..postroom_imap::Options::default()
            },
        ));
        if tls.is_none() && !implicit_tls.is_empty() {
            tracing::warn!("listen.imaps is of no use without a certificate: every connection is closed");
        }
        self.spawn_both(starttls, implicit_tls, tls, IMAP_FULL, config, move |peer: &Peer| {
            service.session(peer)
        });
        Ok(())
    }

    pub(super) fn serve_http(
        &mut self,
        clear: Vec<TcpListener>,
        over_tls: Vec<TcpListener>,
        core: &Core,
        config: &Config,
    ) -> Outcome<()> {
        let public = &config.public;
        let options = http_api::Options {
            imap: http_api::Endpoint {
                host: public.imap_host.clone(),
                port: public.imap_port,
            },
            smtp: http_api::Endpoint {
                host: public.smtp_host.clone(),
                port: public.smtp_port,
            },
            public_url: public.http_url.clone(),
            agent_sign_up: config.limits.agent_sign_up,
            verified_sends: config.limits.verified_sends,
        };
        let services = http_api::Services {
            identity: Arc::clone(&core.identity),
            mailstore: Arc::clone(&core.mailstore),
            intake: Arc::clone(&core.intake),
            queue: Arc::clone(&core.queue),
            feed: Arc::clone(&core.feed),
            drafts: Arc::clone(&core.drafts),
            imports: Arc::clone(&core.imports),
            hubs: Arc::clone(&core.hubs),
            webhooks: Arc::clone(&core.webhooks),
            outgoing_http: core.outgoing_http.clone(),
            names: Arc::clone(&core.names),
            stopping: self.shutdown.clone(),
            is_short_of_space: Arc::clone(&core.is_short_of_space),
        };
        let state = http_api::State::new(services, options);
        let telling = Arc::clone(&core.webhooks).run(Arc::new(state.clone()), self.shutdown.clone());
        self.tasks.spawn(telling);
        let (imports, shutdown) = (Arc::clone(&core.imports), self.shutdown.clone());
        self.tasks.spawn(async move { imports.run(shutdown).await });
        let router = http_api::router(state);
        let limits = http_api::Limits {
            connections: config.limits.connections,
            ..http_api::Limits::default()
        };
        for listener in clear {
            let shutdown = self.shutdown.clone();
            self.tasks
                .spawn(http_api::serve(listener, router.clone(), limits.clone(), shutdown));
        }
        if over_tls.is_empty() {
            return Ok(());
        }
        let tls = self.tls(true)?.ok_or("a socket for HTTPS needs a certificate")?;
        for listener in over_tls {
            let shutdown = self.shutdown.clone();
            let serving = http_api::serve_tls(listener, tls.clone(), router.clone(), limits.clone(), shutdown);
            self.tasks.spawn(serving);
        }
        Ok(())
    }

    /// Drives sessions of one service on its sockets for STARTTLS and on those for TLS.
    fn spawn_both<A, F>(
        &self,
        starttls: Vec<TcpListener>,
        implicit_tls: Vec<TcpListener>,
        tls: Option<TlsConfig>,
        full: &'static [u8],
        config: &Config,
        make: F,
    ) where
        A: Answerer<Machine: 'static> + 'static,
        F: Fn(&Peer) -> (A::Machine, A) + Clone + Send + Sync + 'static,
    {
        let options = ListenerOptions {
            limits: limits(config),
            tls,
            implicit_tls: false,
            refusal: Bytes::from_static(full),
        };
        self.spawn(starttls, &options, make.clone());
        let options = ListenerOptions {
            implicit_tls: true,
            refusal: Bytes::new(),
            ..options
        };
        self.spawn(implicit_tls, &options, make);
    }

    /// Drives sessions on each of these sockets.
    fn spawn<A, F>(&self, listeners: Vec<TcpListener>, options: &ListenerOptions, make: F)
    where
        A: Answerer<Machine: 'static> + 'static,
        F: Fn(&Peer) -> (A::Machine, A) + Clone + Send + Sync + 'static,
    {
        for listener in listeners {
            let serving = postroom_net::serve(listener, options.clone(), make.clone(), self.shutdown.clone());
            self.tasks.spawn(serving);
        }
    }
}

fn limits(config: &Config) -> postroom_net::Limits {
    postroom_net::Limits {
        connections: config.limits.connections,
        per_address: config.limits.connections_per_address,
        ..postroom_net::Limits::default()
    }
}
