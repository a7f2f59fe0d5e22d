"""What must be in each JSON answer of the Inkbox face, by its route. Names of the table's right side are functions below."""

import datetime
import re
import uuid

from scenario import check


def text(value):
    return isinstance(value, str)


def number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def epoch(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truth(value):
    return isinstance(value, bool)


def texts(value):
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def ident(value):
    return isinstance(value, str) and str(uuid.UUID(value)) == value


def time(value):
    return isinstance(value, str) and datetime.datetime.fromisoformat(value).tzinfo is not None


def word(*allowed):
    return lambda value: value in allowed


class maybe:  # noqa: N801 - reads like the functions beside it
    """Null, or of this kind."""

    def __init__(self, kind):
        self.kind = kind


class Absent:
    """The field may be left out, and is of this kind if it is there."""

    def __init__(self, kind):
        self.kind = kind


MODE = word("whitelist", "blacklist")
MAILBOX = {
    "id": ident, "email_address": text, "sending_domain": text, "agent_identity_id": maybe(ident), "filter_mode": MODE,
    "inbound_filter_mode": MODE, "outbound_filter_mode": MODE, "created_at": time, "updated_at": time, "storage_used_bytes": number,
    "storage_limit_bytes": maybe(number), "signature_html": maybe(text), "signature_text": maybe(text), "signature_enabled": truth,
}
IDENTITY = {
    "id": ident, "organization_id": text, "agent_handle": text, "display_name": maybe(text), "description": maybe(text), "email_address": text,
    "created_at": time, "updated_at": time, "imessage_enabled": word(False), "phone_number": word(None), "imessage_number": word(None), "tunnel": word(None),
}
# Of another agent, who may see it, less is told.
SEEN = {**IDENTITY, "mail_filter_mode": Absent(MODE), "mail_inbound_filter_mode": Absent(MODE), "mail_outbound_filter_mode": Absent(MODE),
        "signing_key_configured": Absent(truth), "signing_key_created_at": Absent(maybe(time)),
        "mailbox": Absent(maybe({name: MAILBOX[name] for name in ("id", "email_address", "created_at", "updated_at")}))}
IDENTITY.update(mail_filter_mode=MODE, mail_inbound_filter_mode=MODE, mail_outbound_filter_mode=MODE, signing_key_configured=truth,
                signing_key_created_at=maybe(time), mailbox=MAILBOX)
ACCESS = {"id": ident, "target_identity_id": ident, "viewer_identity_id": maybe(ident), "created_at": time}
MESSAGE = {
    "id": ident, "mailbox_id": ident, "thread_id": maybe(ident), "message_id": lambda v: text(v) and re.fullmatch(r"<.+>", v),
    "from_address": text, "from_display_name": maybe(text), "to_addresses": texts, "cc_addresses": maybe(texts), "subject": maybe(text),
    "snippet": maybe(text), "direction": word("inbound", "outbound"),
    "status": word("queued", "sent", "delivered", "bounced", "failed", "received", "deleted"), "is_read": truth, "is_starred": truth,
    "has_attachments": truth, "created_at": time, "first_opened_at": maybe(time), "open_count": number, "import_job_id": maybe(ident),
}
ATTACHMENT = {"filename": lambda v: text(v) and v and not re.search(r"[/?#%\\]", v), "content_type": text, "size": number,
              "content_id": maybe(text), "is_inline": truth, "part_index": number}
DETAIL = {
    **MESSAGE, "body_text": maybe(text), "body_html": maybe(text), "bcc_addresses": maybe(texts), "in_reply_to": maybe(text),
    "references": maybe(texts), "attachment_metadata": maybe([ATTACHMENT]), "ses_message_id": word(None), "updated_at": maybe(time),
    "reply_all_recipients": maybe({"to": texts, "cc": texts}),
}
THREAD = {"id": ident, "mailbox_id": ident, "subject": maybe(text), "folder": word("inbox", "spam", "archive", "blocked"),
          "message_count": number, "last_message_at": time, "created_at": time}
DRAFT = {
    "id": ident, "mailbox_id": ident, "from_address": text, "to_addresses": texts, "cc_addresses": texts, "bcc_addresses": texts,
    "subject": maybe(text), "snippet": maybe(text), "has_attachments": truth, "attachment_count": number, "generation": number,
    "send_state": word("draft", "sending", "uncertain"), "track_opens": truth, "created_at": time, "updated_at": time,
}
DRAFT_DETAIL = {
    **DRAFT, "body_text": maybe(text), "body_html": maybe(text), "reply_to": maybe(text), "thread_id": maybe(ident), "message_id": maybe(text),
    "in_reply_to": maybe(text), "references": maybe(texts), "attachment_metadata": maybe([{**ATTACHMENT, "filename": text}]),
}
RULE = {"id": ident, "action": word("allow", "block"), "match_type": word("exact_email", "domain"), "match_target": text,
        "direction": word("inbound", "outbound", "both"), "status": word("active", "paused"), "created_at": time, "updated_at": time}
IDENTITY_RULE, MAILBOX_RULE = {**RULE, "agent_identity_id": ident}, {**RULE, "mailbox_id": ident}
DOMAIN = {"id": text, "domain": text, "is_default": truth, "verified_at": maybe(time),
          "status": word("not_started", "awaiting_ownership", "pending", "dns_invalid", "verifying", "verified", "failed",
                         "pending_dkim_rotation", "degraded", "pending_deletion")}
KEY = {
    "id": text, "organization_id": text, "created_by": text, "creator_type": word("human", "agent"), "scoped_identity_id": maybe(ident),
    "label": text, "description": maybe(text), "status": word("active", "revoked"), "last4": lambda v: text(v) and len(v) == 4,
    "display_prefix": text, "last_used_at": maybe(time), "expires_at": maybe(time), "revoked_at": maybe(time), "created_at": time, "updated_at": time,
}
SUBSCRIPTION = {
    "id": ident, "organization_id": text, "mailbox_id": maybe(ident), "phone_number_id": word(None), "agent_identity_id": maybe(ident),
    "owner_identity_id": maybe(ident), "url": text, "event_types": texts, "status": word("active"), "created_at": time, "updated_at": time,
    "has_auth_token": truth, "auth_token": word(None),
}
DELIVERY = {
    "id": ident, "organization_id": text, "webhook_subscription_id": maybe(ident), "phone_number_id": word(None), "event_id": text,
    "event_type": text, "url": text, "request_payload": text, "response_status": maybe(number), "response_body": maybe(text),
    "error_detail": maybe(text), "duration_ms": maybe(number), "is_replay": truth, "created_at": time, "replayable": truth,
    "replay_unavailable_reason": maybe(text),
}
JOB = {
    "id": ident, "mailbox_id": ident, "status": word("pending_upload", "queued", "running", "completed", "failed", "cancelled"),
    "source_format": word("auto", "mbox", "eml", "zip"), "mark_as_read": truth, "messages_processed": number, "messages_imported": number,
    "messages_skipped_duplicate": number, "messages_failed": number, "messages_rejected_unsafe": number, "created_at": time, "updated_at": time,
}
UPLOAD = {"url": text, "fields": lambda v: isinstance(v, dict) and texts(list(v.values())), "expires_in_seconds": number}
WHOAMI = {
    "auth_type": word("api_key"), "auth_subtype": word("api_key.admin_scoped", "api_key.agent_scoped.claimed", "api_key.agent_scoped.unclaimed"),
    "organization_id": text, "key_id": text, "label": maybe(text), "description": maybe(text), "scope": maybe(text), "created_by": maybe(text),
    "creator_type": maybe(word("human", "agent")), "created_at": epoch, "last_used_at": maybe(epoch), "expires_at": maybe(epoch),
}


def page(shape):
    return {"items": [shape], "has_more": truth, "next_cursor": maybe(text)}


def either(*shapes):
    """The first shape that fits counts."""
    return Either(shapes)


class Either:
    def __init__(self, shapes):
        self.shapes = shapes


BOX = "/api/v1/mail/mailboxes/[^/]+"
ONE = "[^/]+"
# (methods, path, shape); the first that fits counts.
ROUTES = [(methods.split(), re.compile(path + "/?"), shape) for methods, path, shape in [
    ("GET", "/api/whoami", WHOAMI),
    ("POST", "/api/v1/api-keys", {"api_key": text, "record": KEY}),
    ("GET", "/api/v1/api-keys/self", KEY),
    ("POST", "/api/v1/identities", IDENTITY),
    ("GET", "/api/v1/identities", [SEEN]),
    ("GET", f"/api/v1/identities/{ONE}/access", [ACCESS]),
    ("POST", f"/api/v1/identities/{ONE}/access", ACCESS),
    ("GET", f"/api/v1/identities/{ONE}/mail-contact-rules", either([IDENTITY_RULE], {"items": [IDENTITY_RULE]})),
    ("POST", f"/api/v1/identities/{ONE}/mail-contact-rules", IDENTITY_RULE),
    ("GET PATCH", f"/api/v1/identities/{ONE}/mail-contact-rules/{ONE}", IDENTITY_RULE),
    ("POST", f"/api/v1/identities/{ONE}/signing-key", {"signing_key": text, "created_at": time}),
    ("GET", f"/api/v1/identities/{ONE}/signing-key", {"configured": truth, "created_at": maybe(time)}),
    ("GET", f"/api/v1/identities/{ONE}", SEEN),
    ("PATCH", f"/api/v1/identities/{ONE}", IDENTITY),
    ("GET", "/api/v1/mail/contact-rules", either([RULE], {"items": [RULE]})),
    ("GET", "/api/v1/mail/mailboxes", [MAILBOX]),
    ("GET PATCH", BOX, MAILBOX),
    ("GET", f"{BOX}/search", {"items": [MESSAGE]}),
    ("GET", f"{BOX}/messages", page(MESSAGE)),
    ("POST", f"{BOX}/messages(/{ONE}/(reply-all|forward))?", MESSAGE),
    ("GET", f"{BOX}/messages/{ONE}", DETAIL),
    ("PATCH", f"{BOX}/messages/{ONE}", MESSAGE),
    ("GET", f"{BOX}/messages/{ONE}/attachments/{ONE}", {"url": text, "filename": Absent(text), "expires_in": Absent(number)}),
    ("GET", f"{BOX}/threads", page(THREAD)),
    ("GET", f"{BOX}/threads/folders", texts),
    ("GET", f"{BOX}/threads/{ONE}", {**THREAD, "messages": [MESSAGE]}),
    ("PATCH", f"{BOX}/threads/{ONE}", THREAD),
    ("GET", f"{BOX}/drafts", page(DRAFT)),
    ("POST", f"{BOX}/drafts/{ONE}/send", MESSAGE),
    ("DELETE", f"{BOX}/drafts/{ONE}/attachments/{ONE}", DRAFT_DETAIL),
    ("POST", f"{BOX}/drafts(/{ONE}/(duplicate|attachments))?", DRAFT_DETAIL),
    ("GET PATCH", f"{BOX}/drafts/{ONE}", DRAFT_DETAIL),
    ("GET", f"{BOX}/contact-rules", either([MAILBOX_RULE], {"items": [MAILBOX_RULE]})),
    ("POST", f"{BOX}/contact-rules", MAILBOX_RULE),
    ("GET PATCH", f"{BOX}/contact-rules/{ONE}", MAILBOX_RULE),
    ("POST", f"{BOX}/imports", {"job": JOB, "upload": UPLOAD}),
    ("GET", f"{BOX}/imports", page(JOB)),
    ("POST", f"{BOX}/imports/{ONE}/upload-url", UPLOAD),
    ("GET POST", f"{BOX}/imports/{ONE}(/start|/cancel)?", JOB),
    ("GET", "/api/v1/domains", [DOMAIN]),
    ("POST", f"/api/v1/domains/{ONE}/set-default", {"default_domain": maybe(text)}),
    ("GET", "/api/v1/message-sends/lookup", {"message_id": ident}),
    ("POST", "/api/v1/webhooks/subscriptions", {**SUBSCRIPTION, "signing_key": maybe(text)}),
    ("GET", "/api/v1/webhooks/subscriptions", {"subscriptions": [SUBSCRIPTION]}),
    ("GET PATCH", f"/api/v1/webhooks/subscriptions/{ONE}", SUBSCRIPTION),
    ("GET", "/api/v1/webhooks/deliveries", {"deliveries": [DELIVERY]}),
    ("POST", f"/api/v1/webhooks/deliveries/{ONE}/replay", DELIVERY),
]]
REFUSAL = {"detail": {"error": lambda v: text(v) and re.fullmatch("[a-z][a-z0-9_]*", v), "message": lambda v: text(v) and v}}


def hold(method, path, status, body):
    """Fails if this answer is not as the contract has it."""
    at = f"{method} {path} ({status})"
    if status >= 400:
        return fits(body, REFUSAL, at)
    for methods, pattern, shape in ROUTES:
        if method in methods and pattern.fullmatch(path):
            return fits(body, shape, at)
    return None


def fits(value, shape, at):
    if isinstance(shape, maybe):
        return None if value is None else fits(value, shape.kind, at)
    if isinstance(shape, Either):
        return fits(value, shape.shapes[0 if isinstance(value, list) == isinstance(shape.shapes[0], list) else 1], at)
    if isinstance(shape, list):
        check(isinstance(value, list), f"{at} is not an array: {value!r:.200}")
        for index, one in enumerate(value):
            fits(one, shape[0], f"{at}[{index}]")
    elif isinstance(shape, dict):
        check(isinstance(value, dict), f"{at} is not an object: {value!r:.200}")
        for name, kind in shape.items():
            if isinstance(kind, Absent):
                if name not in value:
                    continue
                kind = kind.kind
            check(name in value, f"{at} lacks {name}: {value!r:.300}")
            fits(value[name], kind, f"{at}.{name}")
    else:
        try:
            good = shape(value)
        except (ValueError, TypeError, AttributeError):
            good = False
        check(good, f"{at} must not be {value!r:.200}")
    return None
