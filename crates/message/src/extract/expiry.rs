//! For how long a mail says that its code or link holds.

use super::reading::Line;
use super::sentence::sentences;
use super::words::{HOLDS, NUMBERS, UNITS, each};

/// The longest time that is believed: 90 days.
const MAX_SECONDS: u32 = 90 * 86_400;

/// The time in the first sentence that names one and says that something holds for it.
pub(super) fn valid_seconds(lines: &[Line]) -> Option<u32> {
    lines
        .iter()
        .flat_map(|line| sentences(&line.text))
        .find_map(|sentence| {
            let sentence = sentence.to_lowercase();
            each(HOLDS)
                .any(|words| sentence.contains(words))
                .then(|| duration(&sentence))
                .flatten()
        })
}

/// `10 minutes`, `ten minutes`, `10分`, in lower case.
fn duration(sentence: &str) -> Option<u32> {
    let chars: Vec<(usize, char)> = sentence.char_indices().collect();
    let mut at = 0;
    let mut word: Option<u32> = None;
    while let Some(&(start, c)) = chars.get(at) {
        if !c.is_alphanumeric() {
            at += 1;
            continue;
        }
        let digits = c.is_ascii_digit();
        let length = chars[at..]
            .iter()
            .take_while(|(_, c)| c.is_alphanumeric() && c.is_ascii_digit() == digits || (!digits && *c == '-'))
            .count();
        at += length;
        let end = chars.get(at).map_or(sentence.len(), |(end, _)| *end);
        let piece = &sentence[start..end];
        if let Some(number) = word.take()
            && let Some(unit) = unit(piece)
        {
            return number
                .checked_mul(unit)
                .filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
        }
        word = if digits { piece.parse().ok() } else { number(piece) };
    }
    None
}

fn unit(word: &str) -> Option<u32> {
    let found = UNITS
        .iter()
        .find(|(words, _)| each(words).any(|unit| word.starts_with(unit)));
    found.map(|(_, seconds)| *seconds)
}

fn number(word: &str) -> Option<u32> {
    let found = NUMBERS
        .iter()
        .find(|(words, _)| each(words).any(|number| word == number));
    found.map(|(_, number)| *number)
}

/// Whether a word is a unit of time.
pub(super) fn is_unit(word: &str) -> bool {
    unit(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("It expires in 10 minutes.", Some(600)),
            ("This link is valid for 24 hours", Some(86_400)),
            ("Welcome. The code expires in an hour.", Some(3600)),
            ("valid for 1 hour (60 minutes)", Some(3600)),
            ("Der Code ist 15 Minuten gültig.", Some(900)),
            ("Ce code est valable 15 minutes.", Some(900)),
            ("El código caduca en 5 minutos", Some(300)),
            ("O código é válido por 1 hora.", Some(3600)),
            ("Il codice scade tra 10 minuti.", Some(600)),
            ("De code is 30 minuten geldig.", Some(1800)),
            ("Kod jest ważny przez 10 minut.", Some(600)),
            ("Koden är giltig i 10 minuter.", Some(600)),
            ("Koden udløber om 2 timer.", Some(7200)),
            ("Koodi on voimassa 10 minuuttia.", Some(600)),
            ("Kód je platný 10 minut.", Some(600)),
            ("Код действителен в течение 10 минут.", Some(600)),
            ("Код дійсний 10 хвилин.", Some(600)),
            ("Kod 3 dakika içinde geçerlidir.", Some(180)),
            ("このコードは10分間有効です。", Some(600)),
            ("验证码5分钟内有效。", Some(300)),
            ("驗證碼將於 30 分鐘後失效。", Some(1800)),
            ("인증번호는 3분간 유효합니다.", Some(180)),
            ("Expires in 45 seconds", Some(45)),
            ("The offer ended 10 minutes ago", None),
            ("Valid until tomorrow", None),
        ] {
            let line = Line {
                text: text.to_owned(),
                links: Vec::new(),
            };
            assert_eq!(valid_seconds(&[line]), seconds, "{text}");
        }
    }
}
