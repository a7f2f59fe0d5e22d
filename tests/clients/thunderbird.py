#!/usr/bin/env python3
"""Thunderbird under Xvfb: signs in, syncs, idles, flags, moves, copies, deletes, searches, empties its trash.

It is driven through Marionette, Thunderbird's own automation port, by its own mail interfaces; what it did is checked by a
second client. Packages: thunderbird, xvfb. Part of `tests/run --clients`.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
import smtp
from fixture import filled_inbox
from imap import Imap
from scenario import Failure, check, equal, say, spawn, wait_until
from server import Server, free_base_port

PREFERENCES = {
    "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1", "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1", "mail.identity.id1.valid": True, "mail.server.server1.type": "imap",
    "mail.server.server1.hostname": "localhost", "mail.server.server1.socketType": 3, "mail.server.server1.authMethod": 3,
    "mail.server.server1.name": "test", "mail.server.server1.login_at_startup": False, "mail.server.server1.check_new_mail": False,
    "mail.server.server1.use_idle": True, "mail.server.server1.offline_download": False, "mail.server.server1.autosync_offline_stores": False,
    "mail.provider.suppress_dialog_on_startup": True, "mail.spotlight.firstRunDone": True, "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False, "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False, "browser.safebrowsing.malware.enabled": False, "extensions.update.enabled": False,
    "app.donation.eoy.version.viewed": 999, "mail.rights.version": 1, "network.connectivity-service.enabled": False,
}

SIGN_IN = """
const [ca, user, password, done] = arguments;
(async () => {
  const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  db.addCertFromBase64(ca, "CT,C,C");
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init("imap://localhost", null, "imap://localhost", user, password, "", "");
  await Services.logins.addLoginAsync(login);
  return true;
})().then(done, error => done("error: " + error));
"""
# Helpers for all scripts below: a listener that waits for the end of a URL or a copy, and folders by path.
COMMON = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const done = arguments[arguments.length - 1];
const server = MailServices.accounts.accounts[0].incomingServer;
const folderOf = path => path.split("/").reduce((folder, name) => folder.getChildNamed(name), server.rootFolder);
const messages = folder => [...folder.messages];
const bySubject = (folder, subject) => messages(folder).find(message => message.mime2DecodedSubject === subject);
const url = start => new Promise((resolve, reject) => start({
  OnStartRunningUrl() {}, OnStopRunningUrl(_, status) { Components.isSuccessCode(status) ? resolve() : reject("status " + status); } }));
const copied = start => new Promise((resolve, reject) => start({
  QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]), onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {},
  onStopCopy(status) { Components.isSuccessCode(status) ? resolve() : reject("status " + status); } }));
const update = folder => url(listener => folder.QueryInterface(Ci.nsIMsgImapMailFolder) && folder.updateFolderWithListener(null, listener));
const run = work => work().then(done, error => done("error: " + error));
"""
SUBJECTS = "run(async () => { const folder = folderOf(arguments[0]); await update(folder); return messages(folder).map(m => m.mime2DecodedSubject); });"
KNOWN = "run(async () => messages(folderOf(arguments[0])).map(m => m.mime2DecodedSubject));"
SOURCE = """run(async () => {
  const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
  const folder = folderOf(arguments[0]), message = bySubject(folder, arguments[1]);
  const service = MailServices.messageServiceFromURI(folder.getUriForMsg(message));
  return await new Promise((resolve, reject) => {
    let text = "";
    service.streamMessage(folder.getUriForMsg(message), { QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
      onStartRequest() {}, onDataAvailable(_, stream, __, count) { text += NetUtil.readInputStreamToString(stream, count); },
      onStopRequest(_, status) { Components.isSuccessCode(status) ? resolve(btoa(text)) : reject("status " + status); } }, null, null, false, "");
  });
});"""
FLAG = "run(async () => { const f = folderOf(arguments[0]), m = bySubject(f, arguments[1]); f.markMessagesFlagged([m], true); f.addKeywordsToMessages([m], '$label1'); return true; });"
COPY = """run(async () => { const from = folderOf(arguments[0]), to = folderOf(arguments[1]);
  await copied(l => MailServices.copy.copyMessages(from, [bySubject(from, arguments[2])], to, arguments[3], l, null, false)); return true; });"""
DELETE = "run(async () => { const f = folderOf(arguments[0]); await copied(l => f.deleteMessages([bySubject(f, arguments[1])], null, false, false, l, false)); return true; });"
MAKE = "run(async () => { await url(l => { server.rootFolder.createSubfolder(arguments[0], null); setTimeout(() => l.OnStopRunningUrl(null, 0), 1000); }); return true; });"
EMPTY = "run(async () => { await url(l => server.rootFolder.emptyTrash(l)); return true; });"
SEARCH = """run(async () => {
  const folder = folderOf(arguments[0]);
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  const term = session.createTerm();
  const value = term.value;
  value.attrib = term.attrib = Ci.nsMsgSearchAttrib.Body;
  value.str = arguments[1];
  term.value = value;
  term.op = Ci.nsMsgSearchOp.Contains;
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder);
  session.appendTerm(term);
  return await new Promise(resolve => {
    const found = [];
    session.registerListener({ onNewSearch() {}, onSearchHit(message) { found.push(message.mime2DecodedSubject); }, onSearchDone() { resolve(found); } });
    session.search(null);
  });
});"""


class Marionette:
    """`length:[type, id, …]` over TCP: commands to Thunderbird, scripts with its own rights."""

    def __init__(self, port):
        self.socket = wait_until(lambda: self.connect(port), "Thunderbird to listen", 60)
        self.socket.settimeout(60)
        self.buffer, self.number = b"", 0
        self.receive()
        self.ask("WebDriver:NewSession", {})
        self.ask("Marionette:SetContext", {"value": "chrome"})
        self.ask("WebDriver:SetTimeouts", {"script": 50000})

    def connect(self, port):
        try:
            return socket.create_connection(("127.0.0.1", port), 2)
        except OSError:
            return None

    def receive(self):
        while True:
            head, colon, rest = self.buffer.partition(b":")
            if colon and len(rest) >= int(head):
                self.buffer = rest[int(head):]
                return json.loads(rest[:int(head)])
            piece = self.socket.recv(1 << 16)
            check(piece, "Thunderbird closed its automation port")
            self.buffer += piece

    def ask(self, name, arguments):
        self.number += 1
        text = json.dumps([0, self.number, name, arguments]).encode()
        self.socket.sendall(b"%d:" % len(text) + text)
        _, _, error, result = self.receive()
        check(error is None, f"{name}: {error}")
        return result

    def script(self, text, *arguments):
        result = self.ask("WebDriver:ExecuteAsyncScript", {"script": text, "args": list(arguments)})["value"]
        if isinstance(result, str) and result.startswith("error: "):
            raise Failure(f"Thunderbird: {result} in {text[:200]}")
        return result

    def mail(self, text, *arguments):
        return self.script(COMMON + text, *arguments)


def profile(server, inbox, port):
    folder = os.path.join(server.folder, "profile")
    os.makedirs(folder)
    preferences = {**PREFERENCES, "marionette.port": port, "mail.server.server1.port": server.address("imaps")[1], "mail.server.server1.userName": inbox.address,
                   "mail.server.server1.directory": folder + "/ImapMail", "mail.identity.id1.useremail": inbox.address}
    with open(folder + "/user.js", "w") as file:
        file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    return folder


def display(server):
    """A virtual screen; its name."""
    readable, writable = os.pipe()
    spawn(["Xvfb", "-displayfd", str(writable), "-screen", "0", "1280x800x24", "-nolisten", "tcp"], pass_fds=[writable], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        return ":" + pipe.readline().strip()


def session(server, inbox, contents, bird):
    with open(server.ready["ca"]) as file:
        ca = "".join(line.strip() for line in file if not line.startswith("-----"))
    bird.script(SIGN_IN, ca, inbox.address, inbox.password)
    subjects = wait_until(lambda: [s for s in bird.mail(SUBJECTS, "INBOX")], "Thunderbird to sync INBOX", 40)
    equal(len(subjects), len(contents), f"messages in INBOX ({subjects})")
    say("synced", len(subjects), "messages")
    with Imap(server, inbox.address, inbox.password) as other:
        def flags(mailbox, subject):
            other.select(mailbox)
            found = other.fetch("1:*", "BODY.PEEK[HEADER]") if other.uids() else {}
            return next((marks for marks, text in found.values() if b"Subject: %s\r\n" % subject.encode() in text), None)

        source = base64.b64decode(bird.mail(SOURCE, "INBOX", "dots"))
        check(b".\r\n..\r\n...\r\n.a\r\n" in source.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), f"the source of a message is {source[:500]!r}")
        bird.mail(FLAG, "INBOX", "dots")
        wait_until(lambda: {"\\flagged", "$label1"} <= (flags("INBOX", "dots") or set()), "the flags that Thunderbird sets")
        bird.mail(COPY, "INBOX", "Archive", "long-lines", True)
        wait_until(lambda: flags("Archive", "long-lines") is not None and flags("INBOX", "long-lines") is None, "the message that it moves")
        bird.mail(COPY, "INBOX", "Archive", "base64", False)
        wait_until(lambda: flags("Archive", "base64") is not None and flags("INBOX", "base64") is not None, "the message that it copies")
        equal(bird.mail(SEARCH, "INBOX", "Größe 7"), ["Report with attachments"], "a search on the server")
        bird.mail(DELETE, "INBOX", "empty-body")
        wait_until(lambda: flags("INBOX", "empty-body") is None and flags("Trash", "empty-body") is not None, "the message that it deletes")
        bird.mail(MAKE, "Größe & mehr")
        wait_until(lambda: any(b"Gr&APYA3w-e &- mehr" in line[0] for line in other.command('LIST "" *')[0]), "the mailbox that it makes")
        smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "While idling")))
        wait_until(lambda: "While idling" in bird.mail(KNOWN, "INBOX"), "Thunderbird to hear of new mail by IDLE", 20)
        other.select()
        other.command("STORE 1 +FLAGS (\\Deleted)")
        first = subjects[0]
        other.command("EXPUNGE")
        wait_until(lambda: first not in bird.mail(KNOWN, "INBOX"), "Thunderbird to hear of an expunge by IDLE", 20)
        bird.mail(SUBJECTS, "Trash")
        bird.mail(EMPTY)
        wait_until(lambda: flags("Trash", "empty-body") is None, "its trash to be empty")
        other.select()
        equal(sorted(bird.mail(SUBJECTS, "INBOX")), sorted(bird.mail(KNOWN, "INBOX")), "what it knows")
        equal(len(bird.mail(KNOWN, "INBOX")), len(other.uids()), "messages on both sides")


def run():
    check(shutil.which("thunderbird") and shutil.which("Xvfb"), "needs thunderbird and xvfb")
    with Server() as server:
        inbox, contents = filled_inbox(server, "bird")
        port = free_base_port()
        folder, screen = profile(server, inbox, port), display(server)
        log = open(os.path.join(server.folder, "thunderbird.log"), "wb")
        spawn(["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
              env={**os.environ, "DISPLAY": screen, "HOME": server.folder, "MOZ_CRASHREPORTER_DISABLE": "1"})
        bird = Marionette(port)
        session(server, inbox, contents, bird)
        bird.ask("Marionette:Quit", {"flags": ["eForceQuit"]})


if __name__ == "__main__":
    scenario.main(run, 240)
