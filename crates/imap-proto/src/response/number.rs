//! Numbers, straight into the buffer: FETCH writes several for each message.

/// Writes a decimal number.
pub(crate) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    // 2⁶⁴ has 20 digits.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(number: u64) -> String {
        let mut out = Vec::new();
        write_number(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_ends() {
        for number in [0, 9, 10, u64::MAX] {
            assert_eq!(written(number), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn any_number(number: u64) {
            prop_assert_eq!(written(number), number.to_string());
        }
    }
}
