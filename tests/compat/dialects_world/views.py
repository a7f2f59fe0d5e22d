"""What each dialect and IMAP show of an inbox, in one form, so that they can be held against each other."""

import collections
import re
import urllib.parse

import api
from imap import Imap
from scenario import check, equal
from workers import FOLDERS


def by_imap(agent):
    """{Message-ID: (read, starred)} of what is not thrown away, {Message-ID} of what is, [subject] of Drafts, and the labels."""
    places, flags = collections.defaultdict(set), collections.defaultdict(set)
    drafts = []
    with Imap(agent.server, agent.address, agent.password, timeout=60) as session:
        for name in FOLDERS:
            if not session.select(name)["exists"]:
                continue
            if name != "Drafts":
                session.command("EXPUNGE")
            for mail, octets in session.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID SUBJECT)]").values():
                if name == "Drafts":
                    drafts.append(re.search(rb"(?im)^Subject: *(.*?)\r$", octets)[1].decode())
                    continue
                key = re.search(rb"(?i)Message-ID:\s*(<[^>]+>)", octets)[1].decode()
                places[key].add(name)
                flags[key] |= mail
    trash = {key for key, where in places.items() if where in ({"Trash"}, {"Trash", "Spam"})}
    live = {key: ("\\seen" in flags[key], "\\flagged" in flags[key]) for key in places if key not in trash}
    labels = {key: frozenset(flags[key] & {"red", "blue", "green"}) for key in places}
    return live, trash, sorted(drafts), labels, {key: sorted(where) for key, where in places.items()}


def pages(ask, path, array, after):
    """Every item of a list; `after` makes the query of the next page from the last."""
    items, query = [], ""
    while query is not None:
        status, page = ask("GET", path + query)
        equal(status, 200, f"{path}{query} ({page})")
        items += page[array]
        query = after(page, len(items))
    return items


def by_agentmail(agent):
    ask = api.Connection(agent.server, agent.am).ask
    after = lambda page, _: f"&page_token={urllib.parse.quote(page['next_page_token'])}" if page.get("next_page_token") else None  # noqa: E731
    path = agent.v0 + "/messages?limit=100&include_spam=true&include_trash=true"
    found = pages(ask, path, "messages", after)
    drafts = pages(ask, agent.v0 + "/drafts?limit=100", "drafts", after)
    live = {one["message_id"]: "unread" not in one["labels"] for one in found if "trash" not in one["labels"]}
    return live, {one["message_id"] for one in found if "trash" in one["labels"]}, sorted(one.get("subject") or "" for one in drafts), {
        one["message_id"]: frozenset(one["labels"]) & {"red", "blue", "green"} for one in found}


def by_myagentmail(agent):
    ask = api.Connection(agent.server, agent.key).ask
    found = pages(ask, agent.v1 + "/messages?limit=100", "messages", lambda page, have: f"&offset={have}" if have < page["pagination"]["total"] else None)
    drafts = pages(ask, agent.v1 + "/drafts?limit=100", "drafts", lambda page, _: f"&cursor={urllib.parse.quote(page['nextCursor'])}" if page["nextCursor"] else None)
    return {one["messageIdHeader"]: (one["isRead"], one["isStarred"]) for one in found}, sorted(one.get("subject") or "" for one in drafts)


def by_inkbox(agent):
    ask = api.Connection(agent.server, agent.key).ask
    after = lambda page, _: f"&cursor={urllib.parse.quote(page['next_cursor'])}" if page["has_more"] else None  # noqa: E731
    found = pages(ask, agent.box + "/messages?limit=100", "items", after)
    drafts = pages(ask, agent.box + "/drafts?limit=100", "items", after)
    threads = pages(ask, agent.box + "/threads?limit=100", "items", after)
    equal(sum(one["message_count"] for one in threads), len(found), "messages of all threads")
    return {one["message_id"]: (one["is_read"], one["is_starred"]) for one in found}, sorted(one["subject"] or "" for one in drafts)


def same_for_all(agent):
    """What IMAP shows, once every dialect shows the same."""
    live, trash, drafts, labels, places = by_imap(agent)
    v0, v0_trash, v0_drafts, v0_labels = by_agentmail(agent)
    v1, v1_drafts = by_myagentmail(agent)
    ink, ink_drafts = by_inkbox(agent)
    for name, got in (("MyAgentMail", v1), ("Inkbox", ink)):
        alike(got, live, name, places)
    alike(v0, {key: read for key, (read, _) in live.items()}, "AgentMail", places)
    equal(v0_trash, trash, "AgentMail's trash")
    equal(v0_labels, labels, "AgentMail's labels")
    for name, got in (("AgentMail", v0_drafts), ("MyAgentMail", v1_drafts), ("Inkbox", ink_drafts)):
        equal(got, drafts[:], f"drafts of {name}")
    return live, trash, drafts, labels


def alike(got, expected, name, places):
    lacks, has = sorted(set(expected) - set(got)), sorted(set(got) - set(expected))
    check(not lacks and not has, f"{name} lacks {[(key, places[key]) for key in lacks[:5]]} and has {[(key, places.get(key)) for key in has[:5]]}, of {len(expected)}")
    other = [f"{key}: {got[key]} and not {expected[key]}" for key in expected if got[key] != expected[key]]
    check(not other, f"{name} shows {other[:5]}")
