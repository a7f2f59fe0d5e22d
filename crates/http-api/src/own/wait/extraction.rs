//! What is read out of a message, and how far its sender is to be believed.

use super::wanted::Extract;
use crate::agentmail::message_view::MessageView;
use crate::model::{address, time};
use postroom_mailstore::Listed;
use postroom_message::{MechanismResult, Purpose, Verdict, extract_codes, extract_links};
use serde::Serialize;

/// A code or a link.
#[derive(Debug, Serialize)]
pub(super) struct Extraction {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// What the link is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'static str>,
    /// The sentence it stands in.
    evidence: String,
    sender: Sender,
    /// Until when it holds, if the mail says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// Who claims to have sent it, and what the checks said when it came.
#[derive(Debug, Serialize)]
struct Sender {
    address: Option<String>,
    dmarc: String,
    spf: String,
    dkim: String,
}

/// What is wanted of the message, if it is there.
pub(super) fn extraction(extract: Extract, listed: &Listed, view: &MessageView) -> Option<Extraction> {
    let (text, html) = (view.text.as_deref(), view.html.as_deref());
    let expires_at = |seconds: Option<u32>| {
        seconds.map(|seconds| time(listed.record.received_at.saturating_add(i64::from(seconds) * 1000)))
    };
    match extract {
        Extract::Code => {
            let code = extract_codes(text, html, &listed.summary.subject_text)
                .into_iter()
                .next()?;
            Some(Extraction {
                code: Some(code.code),
                link: None,
                purpose: None,
                evidence: code.evidence,
                sender: sender(listed),
                expires_at: expires_at(code.valid_seconds),
            })
        }
        Extract::Link(wanted) => {
            let fits = |purpose| wanted.map_or(purpose != Purpose::Other, |wanted| wanted == purpose);
            let mut links = extract_links(text, html).into_iter();
            let link = links.find(|link| fits(link.purpose))?;
            Some(Extraction {
                code: None,
                link: Some(link.url),
                purpose: Some(name(link.purpose)),
                evidence: link.evidence,
                sender: sender(listed),
                expires_at: expires_at(link.valid_seconds),
            })
        }
    }
}

const fn name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Verify => "verify",
        Purpose::Reset => "reset",
        Purpose::Login => "login",
        Purpose::Other => "other",
    }
}

fn sender(listed: &Listed) -> Sender {
    let verdict = Verdict::decode(&listed.record.verdict).unwrap_or_default();
    let mut from = listed.summary.envelope.from.iter().flatten();
    // One signature that holds is enough.
    let results = || verdict.dkim.iter().map(|signature| signature.result);
    let dkim = results()
        .find(|result| *result == MechanismResult::Pass)
        .or_else(|| results().next());
    Sender {
        address: from.find_map(address),
        dmarc: verdict.dmarc.result.to_string(),
        spf: verdict.spf.result.to_string(),
        dkim: dkim.unwrap_or_default().to_string(),
    }
}
