//! Where mail goes next: to the hosts of the MX records, or to a smarthost.

use crate::options::{Options, Route};
use postroom_queue::Job;
use postroom_types::{Domain, Secret};

/// Where a job goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NextHop {
    /// To the hosts of its domain's MX records.
    Mx,
    /// To the route with this index.
    Route(usize),
}

impl NextHop {
    /// The first route that matches, else the MX records.
    pub(crate) fn of(job: &Job, domain: &Domain, options: &Options) -> Self {
        let matching = options
            .routes
            .iter()
            .position(|route| route.matches(&job.reverse_path, domain));
        matching.map_or(Self::Mx, Self::Route)
    }

    pub(crate) fn route(self, options: &Options) -> Option<&Route> {
        match self {
            Self::Mx => None,
            Self::Route(index) => options.routes.get(index),
        }
    }

    pub(crate) fn terms(self, options: &Options) -> Terms {
        match self.route(options) {
            None => Terms {
                port: options.port,
                tls: TlsPolicy::Opportunistic,
                login: None,
            },
            Some(route) => Terms {
                port: route.port,
                tls: if route.implicit_tls {
                    TlsPolicy::Implicit
                } else {
                    TlsPolicy::Demanded
                },
                login: route.login.clone(),
            },
        }
    }
}

/// What a connection there must be like.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) port: u16,
    pub(crate) tls: TlsPolicy,
    pub(crate) login: Option<(String, Secret<String>)>,
}

/// What is asked of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsPolicy {
    /// If it is offered, with any certificate; if it fails, in clear on the next connection (RFC 7435).
    Opportunistic,
    /// None: it failed before.
    Clear,
    /// STARTTLS with a certificate for the name, or nothing.
    Demanded,
    /// TLS before the first byte with a certificate for the name.
    Implicit,
}

impl TlsPolicy {
    /// Whether the certificate must be good.
    pub(crate) const fn demands_certificate(self) -> bool {
        matches!(self, Self::Demanded | Self::Implicit)
    }
}

/// Which connections may be shared: all domains that have a host may use a connection to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HopKey {
    pub(crate) hop: NextHop,
    pub(crate) host: String,
}
