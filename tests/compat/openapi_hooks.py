"""Read by schemathesis: most of its requests shall name something that is there, or they would all end at a 404."""

import json
import os
import random

import schemathesis

KNOWN = json.loads(os.environ["POSTROOM_COMPAT_IDS"])
OWN = json.loads(os.environ["POSTROOM_COMPAT_OWN_IDS"])  # of our own routes, which call some things otherwise
KEYS = json.loads(os.environ["POSTROOM_COMPAT_KEYS"])  # for our own routes: some are for the operator alone
KEPT = ("/inboxes/{inbox_id}", "/pods/{pod_id}", "/pods/{pod_id}/inboxes/{inbox_id}")  # what everything else is in, is not deleted


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    operation = context.operation
    kept = operation.method.upper() == "DELETE" and any(operation.path == "/v0" + path for path in KEPT)
    if not path_parameters or kept:
        return path_parameters
    known = OWN if operation.path.startswith("/postroom/") else KNOWN
    return {name: random.choice(known[name]) if known.get(name) and random.random() < 0.8 else value for name, value in path_parameters.items()}


@schemathesis.hook
def map_query(context, query):
    """Nothing waits long."""
    waits = {"/postroom/v1/events": "wait", "/postroom/v1/inboxes/{inbox}/wait": "timeout"}.get(context.operation.path)
    return {**(query or {}), waits: 0} if waits else query


@schemathesis.hook
def map_headers(context, headers):
    """Mostly with the key that may; the rest of them are refused as the document says."""
    operation = context.operation
    if not operation.path.startswith("/postroom/"):
        return headers
    operators = "operator" in operation.definition.raw.get("x-keys", [])
    right, other = ("operator", "tenant") if operators else ("tenant", "operator")
    return {**(headers or {}), "X-API-Key": KEYS[right if random.random() < 0.9 else other]}
