"""What a check of the Python client has: the client with its calls noted, and means to make mail happen without it."""

import random
import urllib.request
from types import SimpleNamespace

import corpus
import coverage
import httpx
import pydantic
import shown
import smtp
from agentmail import AgentMail
from agentmail.environment import AgentMailEnvironment
from agentmail.inboxes import CreateInboxRequest
from agentmail.core.api_error import ApiError
from imap import Imap
from scenario import Failure, check, equal, wait_until

ONCE = {"max_retries": 0}  # a fault shows at once, and a 409 does not cost three seconds


def unique(word="case"):
    return f"{word}{random.getrandbits(40):010x}"


def environment(server):
    api = server.ready["api"]
    return AgentMailEnvironment(http=api, websockets=api.replace("http://", "ws://"))


def new_client(server, key, hook=None, **options):
    hooks = {"response": [remember, *([hook] if hook else [])]}
    return AgentMail(environment=environment(server), api_key=key,
                     httpx_client=httpx.Client(timeout=20, follow_redirects=True, event_hooks=hooks), **options)


def remember(response):
    """Keeps the secrets of an answer, for the end of the run."""
    if response.headers.get("content-type", "").startswith("application/json"):
        shown.note(response.read())


class Traced:
    """A client whose calls are noted when they are answered, and whose answers are held against the client's own types.

    The client takes any answer (a missing field is None); here a required field that is missing, or of another type, fails.
    """

    def __init__(self, target, case, path=""):
        self._target, self._case, self._path = target, case, path

    def __getattr__(self, name):
        value = getattr(self._target, name)
        path = f"{self._path}.{name}" if self._path else name
        if isinstance(getattr(type(self._target), name, None), property):
            return Traced(value, self._case, path)

        def call(*words, **options):
            options.setdefault("request_options", ONCE)
            self._case.last = None
            result = value(*words, **options)
            if self._case.strict and isinstance(result, pydantic.BaseModel):
                type(result).model_validate(self._case.last)
            if self._case.last is not None:
                coverage.well_formed(self._case.last)
            self._case.answered.add(path)
            return result

        return call


class Bound:
    """The methods of one resource at one level, with the id of that level filled in."""

    def __init__(self, target, ids):
        self._target, self._ids = target, ids

    def __getattr__(self, name):
        method = getattr(self._target, name)
        return lambda *words, **options: method(*self._ids, *words, **options)


class Scene:
    """An inbox to look at from one level: the organization, its pod, or itself."""

    def __init__(self, case, level):
        self.case, self.level = case, level
        self.pod = case.quiet.pods.create(name=unique("pod"), request_options=ONCE).pod_id if level == "pod" else None
        self.inbox = case.inbox(pod=self.pod)

    def on(self, resource):
        client = self.case.client
        root = {"organization": client, "pod": client.pods, "inbox": client.inboxes}[self.level]
        ids = {"organization": (), "pod": (self.pod,), "inbox": (self.inbox,)}[self.level]
        return Bound(getattr(root, resource), ids)


class Case:
    """One check's view of the world."""

    def __init__(self, server, strict=True):
        self.server, self.key, self.strict = server, server.ready["api_key"], strict
        self.answered, self.last, self._open = set(), None, []
        self.quiet = new_client(server, self.key)
        self.client = Traced(new_client(server, self.key, self._note), self)

    def _note(self, response):
        if response.is_success and response.headers.get("content-type", "").startswith("application/json"):
            response.read()
            self.last = coverage.load(response.content)

    def close(self):
        for one in self._open:
            one.close()

    def with_key(self, key):
        """The same, seen with another key."""
        return Traced(new_client(self.server, key, self._note), self)

    def inbox(self, pod=None, **fields):
        fields.setdefault("username", unique("box"))
        if pod:
            return self.quiet.pods.inboxes.create(pod, request_options=ONCE, **fields).inbox_id
        return self.quiet.inboxes.create(request=CreateInboxRequest(**fields), request_options=ONCE).inbox_id

    def scene(self, level):
        return Scene(self, level)

    def receive(self, inbox, subject="Hello", text="Hello, agent.\n", message=None, **fields):
        """Mail from outside, by SMTP on port 25; returns its Message-ID, with angle brackets."""
        message = message or corpus.plain(inbox, subject, text)
        for name, value in fields.items():
            name = name.replace("_", "-")
            del message[name]
            message[name] = value
        smtp.deliver(self.server, [inbox], corpus.octets(message), parameters=" BODY=8BITMIME")
        return message["Message-ID"]

    def imap(self, inbox, mailbox=None):
        session = Imap(self.server, inbox, self.key)
        self._open.append(session)
        if mailbox:
            session.select(mailbox)
        return session

    def arrived(self, inbox, subject, seconds=20):
        """The message with that subject in the inbox, once it is there."""
        def look():
            found = self.quiet.inboxes.messages.list(inbox, subject=[subject], request_options=ONCE).messages
            return [item for item in found if "received" in item.labels]
        return wait_until(look, f"{subject!r} in {inbox}", seconds)[0]

    def thread_of(self, inbox, message_id):
        return self.quiet.inboxes.messages.get(inbox, message_id, request_options=ONCE).thread_id


def flags_of(session, subject):
    """The flags of the messages with that subject in the selected mailbox, folded."""
    untagged, _ = session.command(f'UID SEARCH HEADER Subject "{subject}"')
    uids = [word.decode() for response in untagged if response[0].startswith(b"* SEARCH") for word in response[0].split()[2:]]
    return [flags for flags, _ in session.fetch(",".join(uids), "BODY.PEEK[HEADER.FIELDS (SUBJECT)]").values()] if uids else []


def refused(status, call, code=None):
    """The call must fail with that status, in the form of every error."""
    try:
        result = call()
    except ApiError as error:
        equal(error.status_code, status, f"status (body {error.body})")
        body = error.body if isinstance(error.body, dict) else vars(error.body)
        check(isinstance(body, dict) and body.get("name"), f"an error without a name: {error.body!r}")
        if code:
            equal(body.get("code"), code, "error code")
        return SimpleNamespace(status=error.status_code, body=body)
    raise Failure(f"answered, and must be refused with {status}: {result!r}")


def pages(method, *words, limit=2, **options):
    """Every item of a list, read in small pages; each page says how many it has."""
    items, token = [], None
    for _ in range(500):
        page = method(*words, limit=limit, **({"page_token": token} if token else {}), **options)
        array = next(value for name, value in vars(page).items() if isinstance(value, list))
        check(len(array) <= limit, f"a page of {len(array)} where {limit} were asked for")
        items += array
        token = page.next_page_token
        if not token:
            return items
    raise Failure("a list without an end")


def download(url):
    """What a signed address gives, without a key."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()
