//! Port 25: recipients, verdicts, limits, then intake.
