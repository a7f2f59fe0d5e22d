//! SCRAM as in transcripts: nothing is random.

use postroom_types::{ScramParameters, Secret};
use postroom_wire::ScramOptions;
use std::sync::Arc;

pub(crate) fn options() -> ScramOptions {
    ScramOptions {
        parameters: Arc::new(ScramParameters {
            salt: b"salt of 16 bytes".to_vec(),
            iterations: 4096,
        }),
        seed: Secret::new([1; 32]),
    }
}
