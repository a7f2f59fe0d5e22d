//! What is written is read, and damage is seen.

use super::*;
use proptest::prelude::*;

fn any_op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let id = || any::<[u8; 16]>().prop_map(BlobId);
    let place = prop_oneof![any::<u64>().prop_map(Place::Inline), any::<u64>().prop_map(Place::Own)];
    prop_oneof![
        (bytes(), bytes()).prop_map(|(key, value)| Op::Put(key, value)),
        bytes().prop_map(Op::Delete),
        (id(), bytes(), place, any::<u64>(), any::<u32>()).prop_map(|(id, witness, place, octets, crc)| Op::Body {
            id,
            witness,
            place,
            octets,
            crc
        }),
        (id(), bytes()).prop_map(|(id, witness)| Op::Witness { id, witness }),
        id().prop_map(Op::Forget),
        (id(), bytes()).prop_map(|(id, witness)| Op::Unwitness { id, witness }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        ops in prop::collection::vec(any_op(), 0..20),
        body in prop::collection::vec(any::<u8>(), 0..200),
        store: [u8; 16],
        lsn: u64,
        group: u64,
        flip: prop::sample::Index,
    ) {
        let seed = Seed::of_store(&store);
        let mut out = b"before".to_vec();
        let bodies_at = encode(&mut out, seed, Lsn(lsn), Lsn(group), &ops, &[&body]);
        let mut record = out.split_off(6);
        let head = Head::read(&record, seed).expect("a head");
        prop_assert_eq!((head.lsn, head.group), (Lsn(lsn), Lsn(group)));
        let payload = &record[HEADER_OCTETS..];
        prop_assert!(head.fits(payload, seed));
        prop_assert_eq!(decode_ops(&payload[..head.ops_octets as usize]), Some(ops));
        prop_assert_eq!(&record[bodies_at as usize..], &body[..]);

        let place = flip.index(record.len());
        record[place] ^= 1;
        let whole = Head::read(&record, seed).is_some_and(|head| head.fits(&record[HEADER_OCTETS..], seed));
        prop_assert!(!whole, "a flipped bit at {} is seen", place);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_ops(&bytes);
        prop_assert_eq!(Head::read(&bytes, Seed::of_store(&[0; 16])), None);
    }
}

#[test]
fn another_stores_record_is_none() {
    let mut out = Vec::new();
    encode(&mut out, Seed::of_store(&[1; 16]), Lsn(1), Lsn(1), &[], &[b"x"]);
    assert_eq!(Head::read(&out, Seed::of_store(&[2; 16])), None);
}
