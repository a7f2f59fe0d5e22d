"""What of the client is not mail: each method is called with made-up words, and must be answered with 501 and the area's name.

A method that the client refuses by itself (an identity without telephone places no call) must be refused so, and not crash.
"""

import inspect
from uuid import UUID

from inkbox import AgentIdentity
from inkbox.exceptions import InkboxAPIError, InkboxError
from scenario import Failure, check, equal, short
from world import call, unique

PHONE, IMESSAGE, TUNNELS, VAULT = "telephone", "iMessage", "tunnels", "vault"
SLACK, COMPANION, A2A, CONTACTS, NOTES, CLAIMS, SIGN_UP = "Slack", "companion mode", "agent to agent", "contacts", "notes", "domain claims", "self-signup"
AREAS = {
    "calls.": PHONE, "phone_": PHONE, "texts.": PHONE, "sms_opt_ins.": PHONE, "hosted_agent.": PHONE, "incoming_call_action.": PHONE,
    "identities.release_phone_number": PHONE, "imessage_contact_rules.": IMESSAGE, "imessages.": IMESSAGE, "tunnels.": TUNNELS, "vault.": VAULT,
    "slack.": SLACK, "companion.": COMPANION, "a2a.": A2A, "a2a_invitations.": A2A, "preview_a2a_invitation": A2A, "contacts.": CONTACTS, "notes.": NOTES,
    "organization_domains.": CLAIMS, "identities.get_domain_affiliation": CLAIMS, "identities.set_domain_affiliation": CLAIMS,
    "identities.remove_domain_affiliation": CLAIMS, "signup": SIGN_UP, "verify_signup": SIGN_UP, "resend_signup_verification": SIGN_UP,
    "get_signup_status": SIGN_UP,
    "identity.a2a_": A2A, "identity.iter_a2a_": A2A, "identity.list_contact_communication_policies": CONTACTS,
    **{f"identity.{name}": PHONE for name in (
        "provision_phone_number", "release_phone_number", "place_call", "list_calls", "list_transcripts", "list_tool_invocations", "hangup_call",
        "get_hosted_agent_config", "set_hosted_agent_config", "set_hosted_agent_authority_mode", "get_incoming_call_action", "set_incoming_call_action",
        "send_text", "list_texts", "get_text", "list_text_conversations", "get_text_conversation", "mark_text_read", "mark_text_conversation_read",
        "list_phone_contact_rules", "get_phone_contact_rule", "create_phone_contact_rule", "update_phone_contact_rule", "delete_phone_contact_rule")},
    **{f"identity.{name}": IMESSAGE for name in (
        "get_imessage", "get_imessage_thread", "get_imessage_conversation_thread", "send_imessage", "list_imessages", "list_imessage_assignments",
        "release_imessage_assignment", "list_imessage_conversations", "get_imessage_conversation", "send_imessage_reaction", "remove_imessage_reaction",
        "mark_imessage_conversation_read", "send_imessage_typing", "upload_imessage_media")},
    **{f"identity.{name}": VAULT for name in (
        "revoke_credential_access", "create_secret", "get_secret", "set_totp", "remove_totp", "get_totp_code", "delete_secret")},
}
# Sent without a key, so nobody is told what there is.
KEYLESS = ("signup", "preview_a2a_invitation")
SOME = UUID(int=7)
PASSWORD = "Vault-key-number-01!"
INVITATION = "a2ai_" + "x" * 43
# What a method insists on before it asks the server.
WORDS = {
    "a2a.reply": {"text": "x"}, "identity.a2a_reply": {"text": "x"}, "a2a_invitations.accept": {"invitation_token": INVITATION},
    "preview_a2a_invitation": {"invitation": INVITATION}, "contacts.communication_policy.replace": {"addresses": []},
    "contacts.facts.update": {"content": "x"}, "contacts.lookup": {"email": "x@elsewhere.example"}, "imessages.send_reaction": {"reaction": "love"},
    "vault.initialize": {"vault_key": PASSWORD}, "vault.unlock": {"vault_key": PASSWORD},
    "vault.update_key": {"new_vault_key": PASSWORD, "current_vault_key": PASSWORD}, "tunnels.connect": {"name": "x", "forward_to": "http://127.0.0.1:9"},
    "contacts.facts.resolve_citation_url": {"source_url": f"/api/v1/contacts/{SOME}/facts/{SOME}/citations/{SOME}"},
    "imessages.upload_media": {"filename": "x.png"}, "identity.a2a_set_filter_mode": {"filter_mode": "whitelist"}, "identity.a2a_set_skills": {"skills": []},
    "identity.send_imessage_reaction": {"reaction": "love"},
}
CHOSEN = {"action": "allow", "direction": "inbound", "kind": "fact", "peer_handle": "peer-agent", "state": "CA"}


def area(operation):
    found = [reason for prefix, reason in AREAS.items() if operation == prefix or prefix.endswith((".", "_")) and operation.startswith(prefix)]
    return found[0] if found else None


def words_for(operation, method, server):
    """Arguments that the method takes."""
    given, chosen = WORDS.get(operation, {}), {}
    for parameter in inspect.signature(method).parameters.values():
        name, kind = parameter.name, str(parameter.annotation)
        if name in given:
            chosen[name] = given[name]
        elif name in ("base_url", "api_key"):
            chosen[name] = server.ready[{"base_url": "api", "api_key": "tenant_key"}[name]]
        elif parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or parameter.default is not parameter.empty:
            if name == "action" and operation.endswith(("rules.update", "contact_rule")):
                chosen[name] = "allow"
        elif name in CHOSEN:
            chosen[name] = CHOSEN[name]
        else:
            chosen[name] = made_up(kind)
    return {**chosen, **{name: value for name, value in given.items() if operation == "tunnels.connect"}}


def made_up(kind):
    if "list[" in kind:
        return [str(SOME)]
    if "UUID" in kind:
        return SOME
    for word, value in (("bytes", b"x"), ("bool", True), ("int", 1), ("dict", {})):
        if word in kind:
            return value
    return "x"


def answered_as_promised(new_case, operations, only=()):
    """{operation: what was wrong}, and {operation: area}, of every operation that is not mail."""
    case, faults, reasons, asked = new_case(), {}, {}, []
    for transport in vars(case.quiet).values():
        if hasattr(transport, "_client"):
            transport._client.event_hooks["request"].append(lambda request: asked.append((request.method, request.url.path)))
    mine = {operation: area(operation) for operation in operations if area(operation)}
    mine = {operation: reason for operation, reason in mine.items() if not only or any(one in operation for one in only)}
    try:
        identity = case.quiet.create_identity(unique())
    except Exception as error:  # noqa: BLE001 - the checks before have said it
        return dict.fromkeys(mine, f"no identity: {short(str(error), 100)}"), mine
    for operation, reason in mine.items():
        reasons[operation] = reason
        try:
            one(case, operation, identity)
        except Exception as error:  # noqa: BLE001 - all are reported together
            faults[operation] = f"{type(error).__name__}: {short(str(error), 300)}"
    if not only:
        faults.update(keys_come_first(case, {(method, path) for method, path in asked if not path.endswith("/whoami")}))
    case.close()
    return faults, reasons


def one(case, operation, identity):
    method = identity if operation.startswith("identity.") else case.quiet
    for part in operation.removeprefix("identity.").split("."):
        method = getattr(method, part)
    try:
        result = method(**words_for(operation, method, case.server))
        result = list(result) if inspect.isgenerator(result) else result
    except InkboxAPIError as error:
        if operation in KEYLESS:
            equal(error.status_code, 401, f"status without a key ({error.detail})")
            return
        equal(error.status_code, 501, f"status ({error.detail})")
        equal(error.detail["error"], "not_supported", "the error's word")
        check(error.detail.get("feature") and error.detail.get("message"), f"no area in {error.detail}")
        return
    except InkboxError:
        check(operation.startswith(("identity.", "tunnels.connect")), "refused by the client")
        return
    if operation != "identity.a2a_client":
        raise Failure(f"answered: {short(result)}")


def keys_come_first(case, asked):
    """Without a key that counts, nobody learns even that it is not there; and an agent's key gets the same 501."""
    agent, faults = case.agent(), {}
    for method, path in sorted(asked):
        body = {} if method in ("POST", "PUT", "PATCH") else None
        dead, live = (call(case.server, method, path, body, key).status for key in ("tk_" + "x" * 32, agent.key))
        if (dead, live) != (401, 501) and not path.startswith("/api/v1/identities/"):
            faults[f"{method} {path}"] = f"{dead} with a dead key, {live} with an agent's"
    return faults


def identity_operations():
    return [f"identity.{name}" for name, value in vars(AgentIdentity).items() if not name.startswith("_") and inspect.isfunction(value)]
