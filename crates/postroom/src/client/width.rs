//! How many columns of a terminal a text takes.

/// Characters that take two columns: what Unicode's EastAsianWidth.txt calls wide or fullwidth, by blocks.
const WIDE: [(u32, u32); 15] = [
    (0x1100, 0x115F),   // Hangul jamo
    (0x231A, 0x231B),   // watches
    (0x2E80, 0x303E),   // CJK radicals and punctuation
    (0x3041, 0x33FF),   // kana, CJK symbols
    (0x3400, 0x4DBF),   // CJK extension A
    (0x4E00, 0x9FFF),   // CJK
    (0xA000, 0xA4CF),   // Yi
    (0xA960, 0xA97F),   // Hangul jamo
    (0xAC00, 0xD7A3),   // Hangul
    (0xF900, 0xFAFF),   // CJK compatibility
    (0xFE30, 0xFE6F),   // CJK compatibility forms
    (0xFF00, 0xFF60),   // fullwidth forms
    (0xFFE0, 0xFFE6),   // fullwidth signs
    (0x1F300, 0x1FAFF), // pictures
    (0x20000, 0x3FFFD), // CJK, further planes
];

/// Characters that stand on the one before them or are not seen.
const NARROW: [(u32, u32); 16] = [
    (0x00AD, 0x00AD), // soft hyphen
    (0x0300, 0x036F), // combining marks
    (0x0483, 0x0489),
    (0x0591, 0x05BD),
    (0x0610, 0x061A),
    (0x064B, 0x065F),
    (0x0900, 0x0902),
    (0x093C, 0x093C),
    (0x0941, 0x0948),
    (0x0E31, 0x0E31),
    (0x0E34, 0x0E3A),
    (0x0E47, 0x0E4E),
    (0x1AB0, 0x1AFF),
    (0x200B, 0x200F), // zero width space and joiners
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F), // variation selectors
];

fn of(c: char) -> usize {
    let within = |ranges: &[(u32, u32)]| {
        let code = u32::from(c);
        ranges.iter().any(|(first, last)| (*first..=*last).contains(&code))
    };
    match c {
        ' '..='~' => 1,
        _ if within(&NARROW) => 0,
        _ if within(&WIDE) => 2,
        _ => 1,
    }
}

/// The columns of a text.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(of).sum()
}

/// The text if it has at most so many columns, else its beginning and `…`.
pub(super) fn clipped(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let own = of(*c);
        let fits = own <= left;
        left = left.saturating_sub(own);
        fits
    };
    let mut clipped: String = text.chars().take_while(fits).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        for (text, expected) in [
            ("", 0),
            ("abc", 3),
            ("Grüße", 5),
            ("u\u{308}", 1),
            ("日本語", 6),
            ("한국", 4),
            ("ｆｕ", 4),
            ("🙂", 2),
            ("a\u{200b}b", 2),
            ("Привет", 6),
        ] {
            assert_eq!(width(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("", 0, ""),
        ] {
            assert_eq!(clipped(text, columns), expected, "{text:?} in {columns}");
            assert!(width(&clipped(text, columns)) <= columns);
        }
    }
}
