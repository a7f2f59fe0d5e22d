//! `postroom dev`: a whole server for trying out. No configuration, no root, no DNS, no network.

use crate::Outcome;
use crate::certificates::{self, write_private};
use crate::cli::DevArgs;
use crate::config::{Config, Dns, Imap, Limits, Listen, Log, Outbound, Public, Store};
use crate::core::Mode;
use crate::server::Server;
use postroom_identity::{CreateInbox, CreateOutcome, Identity, KeyScope};
use postroom_intake::SaveSent;
use postroom_outgoing_http::Reach;
use postroom_types::Domain;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What `dev` remembers between starts, in clear: it is for trying out, and a second start must print the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    domain: String,
    operator_key: String,
    organization_id: String,
    api_key: String,
    tenant_key: String,
    inbox: FirstInbox,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FirstInbox {
    address: String,
    password: String,
}

/// Where the doors are; in the ready line with `--json`.
#[derive(Clone, Debug, Serialize)]
struct Endpoints {
    api: String,
    smtp_in: SocketAddr,
    submission: SocketAddr,
    submissions: SocketAddr,
    imap: SocketAddr,
    imaps: SocketAddr,
    ca: PathBuf,
}

/// Runs until stopped.
pub(crate) async fn run(args: &DevArgs) -> Outcome<()> {
    crate::log::start("info,postroom=info", false)?;
    let folder = args.data.clone().map_or_else(default_folder, Ok)?;
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let remembered = Remembered::load(&folder)?;
    let domain = domain(args, remembered.as_ref())?;
    let names = [
        "localhost",
        "127.0.0.1",
        "::1",
        domain.as_str(),
        &format!("mail.{domain}"),
    ]
    .map(str::to_owned);
    let certificates = certificates::ensure(&folder.join("certs"), &names)?;
    let port = |usual: u16| {
        args.base_port
            .checked_add(usual)
            .map(loopback)
            .ok_or("--base-port is too high")
    };
    let endpoints = Endpoints {
        api: format!("http://{}", port(80)?),
        smtp_in: port(25)?,
        submission: port(587)?,
        submissions: port(465)?,
        imap: port(143)?,
        imaps: port(993)?,
        ca: certificates.ca,
    };
    let config = Config {
        hostname: format!("mail.{domain}"),
        data_dir: folder.clone(),
        domains: vec![domain.clone()],
        listen: Listen {
            smtp_in: vec![endpoints.smtp_in],
            submission: vec![endpoints.submission],
            submissions: vec![endpoints.submissions],
            imap: vec![endpoints.imap],
            imaps: vec![endpoints.imaps],
            http: vec![port(80)?],
            https: Vec::new(),
        },
        public: Public {
            imap_host: "127.0.0.1".into(),
            imap_port: endpoints.imaps.port(),
            smtp_host: "127.0.0.1".into(),
            smtp_port: endpoints.submission.port(),
            http_url: None,
        },
        tls: Some(certificates.server),
        dns: Dns {
            verify: false,
            servers: Vec::new(),
        },
        store: Store::default(),
        imap: Imap::default(),
        outbound: Outbound {
            capture: true,
            ..Outbound::default()
        },
        save_sent: SaveSent::Auto,
        webhooks: Reach::Loopback,
        limits: Limits::dev(),
        log: Log {
            filter: "info".into(),
            json: false,
        },
    };
    let server = Server::start(config, Mode::Dev).await?;
    let remembered = match remembered {
        Some(remembered) => remembered,
        None => Remembered::make(server.identity(), &domain, &folder).await?,
    };
    announce(args.json, &remembered, &endpoints)?;
    server.run_until_stopped().await
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The XDG base directory for data that belongs to a user.
fn default_folder() -> Outcome<PathBuf> {
    let from = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = from("XDG_DATA_HOME").or_else(|| Some(from("HOME")?.join(".local/share")));
    base.map(|base| base.join("postroom/dev"))
        .ok_or_else(|| "neither XDG_DATA_HOME nor HOME is set: give --data DIR".into())
}

/// A folder stays with the domain it was made with: its addresses would not be found under another.
fn domain(args: &DevArgs, remembered: Option<&Remembered>) -> Outcome<Domain> {
    match (&args.domain, remembered) {
        (Some(wanted), Some(made)) if !wanted.eq_ignore_ascii_case(&made.domain) => Err(format!(
            "this folder was made with --domain {}; use another --data for {wanted}",
            made.domain
        )
        .into()),
        (_, Some(made)) => Ok(Domain::parse(&made.domain)?),
        (wanted, None) => Ok(Domain::parse(wanted.as_deref().unwrap_or("example.test"))?),
    }
}

impl Remembered {
    fn file(folder: &Path) -> PathBuf {
        folder.join("dev.json")
    }

    fn load(folder: &Path) -> Outcome<Option<Self>> {
        match std::fs::read(Self::file(folder)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an organization with its keys and a first inbox, and writes them down.
    async fn make(identity: &Identity, domain: &Domain, folder: &Path) -> Outcome<Self> {
        let operator = identity.bootstrap().await?.organization;
        let operator_key = identity.create_key(&KeyScope::Operator(operator), Some("dev")).await?;
        let made = identity.create_organization("dev", None).await?;
        let organization = made.organization.id;
        let api_key = identity
            .create_key(&KeyScope::Organization(organization), Some("dev"))
            .await?;
        let wanted = CreateInbox {
            username: Some("agent".into()),
            ..CreateInbox::new(organization)
        };
        let CreateOutcome::Created {
            inbox,
            password: Some(password),
            ..
        } = identity.create_inbox(&wanted).await?
        else {
            return Err("the first inbox could not be made".into());
        };
        let remembered = Self {
            domain: domain.to_string(),
            operator_key: operator_key.secret.expose().clone(),
            organization_id: organization.to_string(),
            api_key: api_key.secret.expose().clone(),
            tenant_key: made.api_key.expose().clone(),
            inbox: FirstInbox {
                address: inbox.canonical.to_string(),
                password: password.expose().clone(),
            },
        };
        write_private(&Self::file(folder), &serde_json::to_vec_pretty(&remembered)?)?;
        Ok(remembered)
    }
}

fn announce(json: bool, remembered: &Remembered, at: &Endpoints) -> Outcome<()> {
    if json {
        let mut line = serde_json::to_value(remembered)?;
        let fields = line.as_object_mut().expect("a struct serializes as an object");
        fields.insert("ready".into(), true.into());
        let endpoints = serde_json::to_value(at)?;
        fields.extend(endpoints.as_object().expect("a struct serializes as an object").clone());
        println!("{line}");
        return Ok(());
    }
    let Remembered {
        operator_key,
        api_key,
        tenant_key,
        inbox,
        ..
    } = remembered;
    let FirstInbox { address, password } = inbox;
    let Endpoints {
        api,
        smtp_in,
        submission,
        submissions,
        imap,
        imaps,
        ca,
    } = at;
    println!(
        "postroom is ready.

  HTTP API   {api}
  SMTP in    {smtp_in} (STARTTLS)
  Submission {submission} (STARTTLS), {submissions} (TLS)
  IMAP       {imap} (STARTTLS), {imaps} (TLS)
  CA         {ca}

  inbox      {address}
  password   {password}

  tenant key      {tenant_key}
  API key         {api_key}
  operator key    {operator_key}

Try:
  curl -s {api}/v1/inboxes -H 'X-API-Key: {tenant_key}' -H 'Content-Type: application/json' -d '{{\"username\":\"scout\"}}'
  swaks --server {smtp_in} --tls --from you@example.net --to {address}
  curl -s --cacert {ca} -u {address}:{password} 'imaps://{imaps}/INBOX;MAILINDEX=1'
  swaks --server {submission} --tls --auth PLAIN --auth-user {address} --auth-password {password} --from {address} --to you@example.net

Mail to other domains is caught, not sent: GET {api}/postroom/v1/captured, or `postroom message captured`.
",
        ca = ca.display()
    );
    Ok(())
}
