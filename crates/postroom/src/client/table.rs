//! What lists are called in the API and which of their fields a table shows.

/// A list of the API and the columns of its table.
#[derive(Debug)]
pub(super) struct Table {
    /// The field of the answer with the rows.
    pub(super) rows: &'static str,
    pub(super) columns: &'static [&'static str],
}

const fn table(rows: &'static str, columns: &'static [&'static str]) -> Table {
    Table { rows, columns }
}

pub(super) const ORGANIZATIONS: Table = table("tenants", &["id", "name", "maxInboxes", "createdAt"]);
pub(super) const DELETED_ORGANIZATIONS: Table = table("organizations", &["id", "name", "deletedAt", "createdAt"]);
pub(super) const PODS: Table = table("pods", &["pod_id", "name", "client_id", "created_at"]);
pub(super) const KEYS: Table = table(
    "api_keys",
    &[
        "api_key_id",
        "prefix",
        "name",
        "pod_id",
        "inbox_id",
        "used_at",
        "expires_at",
    ],
);
pub(super) const INBOXES: Table = table(
    "inboxes",
    &["inbox_id", "display_name", "status", "pod_id", "created_at"],
);
pub(super) const IDENTITIES: Table = table(
    "identities",
    &["agent_handle", "email_address", "status", "display_name", "created_at"],
);
pub(super) const ACCESS: Table = table("access", &["viewer", "viewer_identity_id", "created_at"]);
pub(super) const RULES: Table = table(
    "rules",
    &["id", "action", "match_type", "match_target", "direction", "status"],
);
pub(super) const ALL_RULES: Table = table(
    "rules",
    &[
        "agent_identity_id",
        "id",
        "action",
        "match_type",
        "match_target",
        "direction",
        "status",
    ],
);
pub(super) const AGENT_KEYS: Table = table(
    "items",
    &[
        "id",
        "display_prefix",
        "label",
        "scoped_identity_id",
        "last_used_at",
        "created_at",
    ],
);
pub(super) const IMPORTS: Table = table(
    "items",
    &[
        "id",
        "status",
        "source_format",
        "upload_size_bytes",
        "messages_imported",
        "messages_skipped_duplicate",
        "messages_failed",
        "created_at",
    ],
);
pub(super) const LABEL_EVENTS: Table = table("events", &["event_at", "event_type", "label", "message_id"]);
pub(super) const MESSAGES: Table = table("messages", &["message_id", "timestamp", "from", "labels", "subject"]);
pub(super) const ATTACHMENTS: Table = table("attachments", &["attachment_id", "size", "content_type", "filename"]);
pub(super) const THREADS: Table = table(
    "threads",
    &[
        "thread_id",
        "inbox_id",
        "timestamp",
        "message_count",
        "senders",
        "labels",
        "subject",
    ],
);
pub(super) const DRAFTS: Table = table(
    "drafts",
    &[
        "draft_id",
        "inbox_id",
        "updated_at",
        "send_status",
        "send_at",
        "to",
        "subject",
    ],
);
pub(super) const ENTRIES: Table = table("entries", &["entry", "entry_type", "read_only", "created_at", "reason"]);
pub(super) const WEBHOOKS: Table = table("webhooks", &["webhook_id", "enabled", "url", "event_types"]);
pub(super) const DOMAINS: Table = table("domains", &["domain_id", "status", "pod_id", "created_at"]);
pub(super) const SERVED_DOMAINS: Table = table("domains", &["domain", "organization", "catchAll", "createdAt"]);
pub(super) const RECORDS: Table = table("records", &["status", "type", "name", "priority", "value"]);
pub(super) const QUEUE: Table = table(
    "queue",
    &[
        "message",
        "recipient",
        "address",
        "state",
        "attempts",
        "nextAttemptAt",
        "reason",
    ],
);
pub(super) const CAPTURED: Table = table("captured", &["id", "capturedAt", "from", "to", "subject"]);
