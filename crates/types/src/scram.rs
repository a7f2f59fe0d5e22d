//! What a SCRAM server tells every client (RFC 5802 §5).

/// How SCRAM keys are derived from secrets: one salt and one count for the whole server, so that they tell nothing of
/// which users there are. That is safe since the secrets are random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramParameters {
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2; RFC 7677 §4 asks for at least 4,096.
    pub iterations: u32,
}
