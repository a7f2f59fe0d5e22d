//! Links that confirm, reset or sign in.

use super::expiry::valid_seconds;
use super::reading::{Line, of_html, of_text};
use super::sentence::sentence_around;
use super::words::{ASIDE, LOGIN, RESET, VERIFY, each};
use std::ops::Range;

/// How many links are told.
const MAX_LINKS: usize = 100;
/// How many lines above a link may say what it is for.
const LINES_ABOVE: usize = 2;
/// Longest evidence, characters.
const MAX_EVIDENCE: usize = 300;
/// The least a part of an address has that only the server can have made, characters.
const TOKEN: usize = 12;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Confirms an address or an account, or accepts an invitation.
    Verify,
    /// Sets a new password.
    Reset,
    /// Signs in.
    Login,
    /// None of these, as far as the mail says.
    Other,
}

/// A link of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads: `http:` or `https:`.
    pub url: String,
    /// What is shown for it.
    pub text: String,
    /// The sentence it stands in; for one that stands alone, with the line above.
    pub evidence: String,
    /// What it is for.
    pub purpose: Purpose,
    /// For how long the mail says it holds, if it has a purpose.
    pub valid_seconds: Option<u32>,
}

/// The links of a mail, those with a purpose first, otherwise in the order of the mail. A link has a purpose if the mail
/// says so and its address holds something that only its server can have made.
#[must_use]
pub fn extract_links(text: Option<&str>, html: Option<&str>) -> Vec<Link> {
    let bodies = [html.map(of_html), text.map(of_text)];
    let valid = bodies.iter().flatten().find_map(|lines| valid_seconds(lines));
    let mut found: Vec<Link> = Vec::new();
    for lines in bodies.iter().flatten() {
        for (at, line) in lines.iter().enumerate() {
            for (range, url) in &line.links {
                let link = link(lines, at, line, range, url, valid);
                let is_full = found.len() >= MAX_LINKS;
                match found.iter_mut().find(|known| known.url == link.url) {
                    Some(known) if link.purpose < known.purpose => *known = link,
                    Some(_) => {}
                    None if is_full => {}
                    None => found.push(link),
                }
            }
        }
    }
    found.sort_by_key(|link| link.purpose == Purpose::Other);
    found
}

fn link(lines: &[Line], at: usize, line: &Line, range: &Range<usize>, url: &str, valid: Option<u32>) -> Link {
    let text = &line.text[range.clone()];
    let shows_address = text.contains("://") || text == url;
    let alone = range.start <= 2 && range.end + 2 >= line.text.len();
    let evidence = if alone {
        let above = at.checked_sub(1).map(|above| lines[above].text.as_str());
        above.map_or_else(|| line.text.clone(), |above| format!("{above} {}", line.text))
    } else {
        sentence_around(&line.text, range).to_owned()
    };
    let above = lines[at.saturating_sub(LINES_ABOVE)..at]
        .iter()
        .rev()
        .filter(|line| line.links.is_empty());
    let said: Vec<&str> = std::iter::once(sentence_around(&line.text, range))
        .chain(above.map(|line| line.text.as_str()).filter(|_| alone))
        .collect();
    let purpose = if has_token(url) {
        purpose(text, shows_address, &said, url)
    } else {
        Purpose::Other
    };
    Link {
        url: url.to_owned(),
        text: text.chars().take(MAX_EVIDENCE).collect(),
        evidence: evidence.chars().take(MAX_EVIDENCE).collect(),
        purpose,
        valid_seconds: valid.filter(|_| purpose != Purpose::Other),
    }
}

/// What is shown decides; where that is the address or says nothing (`click here`), the sentence does, then the address.
fn purpose(text: &str, shows_address: bool, said: &[&str], url: &str) -> Purpose {
    let address = url.to_lowercase();
    let aside_address = [
        "unsubscribe",
        "optout",
        "opt-out",
        "preferences",
        "/abmelden",
        "/privacy",
        "list-manage",
    ];
    if aside_address.iter().any(|words| address.contains(words)) {
        return Purpose::Other;
    }
    let shown = if shows_address {
        String::new()
    } else {
        text.to_lowercase()
    };
    if each(ASIDE).any(|words| shown.contains(words)) {
        return Purpose::Other;
    }
    if let Some(purpose) = purpose_of(&shown) {
        return purpose;
    }
    // Text that names something else is believed; `here`, `continue` and addresses name nothing.
    if !shows_address && shown.split_whitespace().count() > 4 {
        return Purpose::Other;
    }
    for sentence in said {
        let without = sentence.to_lowercase().replace(&address, "");
        if each(ASIDE).any(|words| without.contains(words)) {
            return Purpose::Other;
        }
        if let Some(purpose) = purpose_of(&without) {
            let names_link = shows_address || address_purpose(&address).is_some() || is_pointer(&shown);
            return if names_link { purpose } else { Purpose::Other };
        }
    }
    if shows_address {
        address_purpose(&address).unwrap_or(Purpose::Other)
    } else {
        Purpose::Other
    }
}

fn purpose_of(text: &str) -> Option<Purpose> {
    let says = |table| each(table).any(|words| text.contains(words));
    // `Reset your password` may speak of confirming, and a login of both.
    if says(RESET) {
        return Some(Purpose::Reset);
    }
    if says(VERIFY) {
        return Some(Purpose::Verify);
    }
    says(LOGIN).then_some(Purpose::Login)
}

/// `here`, `this link`, `continue`, an arrow.
fn is_pointer(shown: &str) -> bool {
    let pointers = [
        "here",
        "link",
        "continue",
        "get started",
        "click",
        "tap",
        "hier",
        "ici",
        "lien",
        "aquí",
        "aqui",
        "enlace",
        "qui",
        "hierheen",
        "tutaj",
        "här",
        "her",
        "tästä",
        "zde",
        "здесь",
        "ссылк",
        "тут",
        "посиланн",
        "buraya",
        "tıkla",
        "こちら",
        "リンク",
        "这里",
        "链接",
        "這裡",
        "連結",
        "여기",
        "링크",
        "weiter",
        "continuer",
        "continuar",
        "continua",
        "doorgaan",
        "yes",
        "accept",
        "button",
    ];
    shown.trim().is_empty() || pointers.iter().any(|pointer| shown.contains(pointer))
}

fn address_purpose(address: &str) -> Option<Purpose> {
    let path = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let has = |words: &[&str]| words.iter().any(|word| path.contains(word));
    if has(&["reset", "password", "recover"]) {
        Some(Purpose::Reset)
    } else if has(&[
        "verif",
        "confirm",
        "activat",
        "validate",
        "accept-invit",
        "invitation",
        "invite",
        "optin",
        "opt-in",
    ]) {
        Some(Purpose::Verify)
    } else {
        has(&[
            "login",
            "signin",
            "sign-in",
            "sign_in",
            "magic",
            "auth/callback",
            "session",
        ])
        .then_some(Purpose::Login)
    }
}

/// Whether some part of the path or the query is long and looks made.
fn has_token(url: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split_once(['/', '?']).map_or("", |(_, path)| path);
    let mut pieces = path.split(['/', '?', '&', '=', '#', '.', ';']);
    pieces.any(|piece| {
        let digits = piece.bytes().filter(u8::is_ascii_digit).count();
        let upper = piece.bytes().filter(u8::is_ascii_uppercase).count();
        let words = piece
            .split('-')
            .filter(|word| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .count();
        let digits_alone = digits == piece.len() && digits >= 6;
        digits_alone || (piece.len() >= TOKEN && words < 3 && (digits >= 2 || upper >= 3))
    })
}
