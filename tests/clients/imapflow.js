// imapflow signs in (COMPRESS and QRESYNC on), lists, syncs, idles, searches, moves, deletes, comes back after a change.
// Prints one JSON line: what it saw. Settings come as JSON in the first argument.

const fs = require("node:fs");
const assert = require("node:assert");
const { ImapFlow } = require("imapflow");

const settings = JSON.parse(process.argv[2]);

function client(secure) {
    return new ImapFlow({
        host: "localhost",
        port: secure ? settings.imaps : settings.imap,
        secure,
        doSTARTTLS: !secure,
        tls: { ca: fs.readFileSync(settings.ca) },
        auth: { user: settings.user, pass: settings.password },
        qresync: true,
        logger: false,
    });
}

async function collect(messages) {
    const found = [];
    for await (const message of messages) {
        found.push(message);
    }
    return found;
}

async function session(secure) {
    const flow = client(secure);
    await flow.connect();
    const seen = { enabled: [...flow.enabled], compressed: Boolean(flow.capabilities.get("COMPRESS=DEFLATE")) };
    const names = (await flow.list({ statusQuery: { messages: true, unseen: true } })).map((box) => [box.path, box.specialUse, box.status.messages]);
    assert(names.some(([path, use]) => path === "Trash" && use === "\\Trash"), JSON.stringify(names));
    await flow.mailboxCreate("Ablage/Größe");
    let lock = await flow.getMailboxLock("INBOX");
    try {
        const all = await collect(flow.fetch("1:*", { uid: true, flags: true, envelope: true, bodyStructure: true, size: true, internalDate: true, threadId: true, source: true }));
        seen.messages = all.length;
        assert.equal(all.length, flow.mailbox.exists);
        for (const message of all) {
            assert.equal(message.source.length, message.size);
            assert(message.emailId && message.threadId, "no OBJECTID");
        }
        seen.subjects = all.map((message) => message.envelope.subject);
        const dots = await flow.search({ subject: "dots" }, { uid: true });
        assert.equal(dots.length, 1);
        assert((await flow.search({ body: "sure is no word in any of them" }, { uid: true })).length === 0);
        await flow.messageFlagsAdd(dots, ["\\Flagged", "$label1"], { uid: true });
        const flagged = await flow.fetchOne(String(dots[0]), { flags: true }, { uid: true });
        assert(flagged.flags.has("\\Flagged") && flagged.flags.has("$label1"), [...flagged.flags].join());
        const moved = await flow.messageMove(dots, "Ablage/Größe", { uid: true });
        assert.equal(moved.uidMap.get(dots[0]), 1);
        const gone = await flow.search({ subject: "long-lines" }, { uid: true });
        await flow.messageDelete(gone, { uid: true });
        // imapflow does not count what it is told has vanished; the server does.
        assert.equal((await flow.search({ all: true })).length, all.length - 2);
        const added = await flow.append("INBOX", "Subject: appended by imapflow\r\nFrom: a@example.test\r\n\r\nHello ✓\r\n", ["\\Seen"]);
        assert(added.uid > 0 && added.uidValidity > 0n);
        // IDLE hears of mail and of flags that others change.
        const heard = new Promise((resolve) => flow.on("exists", resolve));
        const flags = new Promise((resolve) => flow.on("flags", resolve));
        setTimeout(() => console.log(JSON.stringify({ idle: secure ? "tls" : "starttls" })), 300);
        flow.idle();
        await heard;
        seen.flagsChanged = [...(await flags).flags];
        await flow.noop();
        const latest = await flow.fetchOne("*", { envelope: true });
        seen.latest = latest.envelope.subject;
    } finally {
        lock.release();
    }
    const status = await flow.status("Ablage/Größe", { messages: true, uidNext: true, highestModseq: true });
    assert.equal(status.messages, 1);
    assert(status.highestModseq > 0n);
    seen.quota = Boolean(await flow.getQuota("INBOX"));
    await flow.mailboxDelete("Ablage/Größe");
    await flow.mailboxDelete("Ablage");
    await flow.logout();
    console.log(JSON.stringify({ done: secure ? "tls" : "starttls", seen }));
}

session(settings.secure).catch((error) => {
    console.error(error, error.responseText);
    process.exit(1);
});
