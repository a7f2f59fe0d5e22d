"""What a self-hosted server leaves out: each operation with its reason, a call of it, and how it must be answered.

`EMPTY`: an empty list. Otherwise the status of the refusal. None of them may be a 5xx, or an answer that is not the API's.
"""

import uuid

import scenario
from scenario import check, equal
from world import ONCE, refused

EMPTY = "empty"
SIGN_IN, LABS, ARMOR, POLLING = "sign-in at apps", "Labs", "Agent Armor", "polled at the vendor's address"
SOME = str(uuid.UUID(int=7))
EVENTS = ["message.received"]

# operation: (reason, answer, words and options behind the id of the level)
HOSTED = {
    "accounts.list": (SIGN_IN, EMPTY, [], {}),
    "accounts.get": (SIGN_IN, 404, [SOME], {}),
    "accounts.update": (SIGN_IN, 404, [SOME], {"status": "disabled"}),
    "apps.list": (SIGN_IN, EMPTY, [], {}),
    "apps.search": (SIGN_IN, EMPTY, [], {"q": "mail"}),
    "apps.get": (SIGN_IN, 404, [SOME], {}),
    "apps.list_accounts": (SIGN_IN, 404, [SOME], {}),
    "apps.connect": (SIGN_IN, 404, [SOME], {}),
    "inboxes.authorize": (SIGN_IN, 404, [], {"auth_token": "x"}),
    "organizations.join_labs": (LABS, 403, [], {}),
    "inboxes.calendar.get": (LABS, 403, [], {}),
    "inboxes.calendar.update": (LABS, 403, [], {"timezone": "UTC"}),
    "inboxes.calendar.get_agenda": (LABS, 403, [], {}),
    "inboxes.calendar.list_events": (LABS, 403, [], {}),
    "inboxes.calendar.create_event": (LABS, 403, [], {"title": "x", "start": "2027-01-01T10:00:00", "end": "2027-01-01T11:00:00"}),
    "inboxes.calendar.get_event": (LABS, 403, [SOME], {}),
    "inboxes.calendar.update_event": (LABS, 403, [SOME], {"title": "y"}),
    "inboxes.calendar.delete_event": (LABS, 403, [SOME], {}),
    "inboxes.calendar.list_event_instances": (LABS, 403, [SOME], {}),
    "inboxes.calendar.respond_to_event": (LABS, 403, [SOME], {"status": "accepted"}),
    "inboxes.files.list": (LABS, 403, [], {}),
    "inboxes.files.create": (LABS, 403, [], {"path": "/a", "size": 1, "sha_256": "0" * 64}),
    "inboxes.files.get": (LABS, 403, [SOME], {}),
    "inboxes.files.complete": (LABS, 403, [SOME], {}),
    "inboxes.files.delete": (LABS, 403, [SOME], {}),
    "inboxes.messages.create_agent_armor_feedback": (ARMOR, 404, ["<a@b.example>"], {"feedback": "spam_or_phishing"}),
    "inboxes.messages.release_agent_armor_message": (ARMOR, 404, ["<a@b.example>"], {"reason": "x"}),
}
for _level in ("pods", "inboxes"):
    HOSTED[f"{_level}.accounts.list"] = (SIGN_IN, EMPTY, [], {})
    HOSTED[f"{_level}.accounts.get"] = (SIGN_IN, 404, [SOME], {})
for _level in ("", "pods.", "inboxes."):
    HOSTED[f"{_level}webhooks.polling.create"] = (POLLING, 404, [], {"client_id": "x", "event_types": EVENTS})
    HOSTED[f"{_level}webhooks.polling.list"] = (POLLING, 404, [], {})
    HOSTED[f"{_level}webhooks.polling.get"] = (POLLING, 404, ["ep_x"], {})
    HOSTED[f"{_level}webhooks.polling.delete"] = (POLLING, 404, ["ep_x"], {})

REASONS = {operation: reason for operation, (reason, *_) in HOSTED.items()}


def answered_as_promised(new_case, only=()):
    """{operation: "pass" or what was wrong} of every hosted operation."""
    case, faults = new_case(), {}
    try:
        ids = {"pods": [case.quiet.pods.create(name="hosted", request_options=ONCE).pod_id], "inboxes": [case.inbox()]}
    except Exception as error:  # noqa: BLE001 - the checks before have said it
        return dict.fromkeys(HOSTED, f"no pod or inbox: {scenario.short(str(error), 100)}")
    for operation, (_, answer, words, options) in HOSTED.items():
        if only and not any(one in operation for one in only):
            continue
        method = case.client
        for part in operation.split("."):
            method = getattr(method, part)
        words = [*ids.get(operation.split(".")[0], []), *words]
        try:
            if answer == EMPTY:
                page = method(*words, **options)
                check(not any(value for value in vars(page).values() if isinstance(value, list)), f"not an empty list: {page}")
                equal(page.count, 0, "count")
            else:
                refused(answer, lambda method=method, words=words, options=options: method(*words, **options))
        except Exception as error:  # noqa: BLE001 - all are reported together
            faults[operation] = str(error).replace("\n", " ")[:300]
    case.close()
    return faults
