//! 587 and 465: who may send as whom, then intake.
