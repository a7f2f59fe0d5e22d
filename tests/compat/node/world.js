// What a check of the Node client has: the client with its calls noted, and means to make mail happen without it.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const { AgentMailClient, AgentMailError } = require("agentmail");
const { ImapFlow } = require("imapflow");

const settings = JSON.parse(process.argv[2]);
const checks = [];
const LEVELS = ["organization", "pod", "inbox"];
const PREFIX = { organization: "", pod: "pods.", inbox: "inboxes." };

const drives = (operations, run) => checks.push({ operations: [].concat(operations), run });

// One check for each level: run(case, scene).
function atLevels(operation, run, levels = LEVELS) {
    for (const level of levels) {
        drives(PREFIX[level] + operation, async (test) => run(test, await test.scene(level)));
    }
}

const unique = (word = "case") => word + crypto.randomBytes(5).toString("hex");
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function waitUntil(question, what, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
        const answer = await question();
        if (answer) {
            return answer;
        }
        assert(Date.now() < end, `waited ${seconds} s for: ${what}`);
        await pause(30);
    }
}

function newClient(key) {
    const websockets = settings.api.replace("http://", "ws://");
    return new AgentMailClient({ apiKey: key, environment: { http: settings.api, websockets }, maxRetries: 0, timeoutInSeconds: 20 });
}

// A client whose calls are noted in `answered` when they are answered.
function traced(target, answered, path = "") {
    return new Proxy(target, {
        get(_, name) {
            const value = target[name];
            const here = path ? `${path}.${String(name)}` : String(name);
            if (typeof value === "function") {
                return async (...words) => {
                    const result = await value.apply(target, words);
                    answered.add(here);
                    return result;
                };
            }
            return value && typeof value === "object" ? traced(value, answered, here) : value;
        },
    });
}

class Case {
    constructor() {
        this.answered = new Set();
        this.quiet = newClient(settings.key);
        this.client = traced(newClient(settings.key), this.answered);
        this.domain = settings.domain;
    }

    withKey(key) {
        return traced(newClient(key), this.answered);
    }

    async inbox(pod, fields = {}) {
        const wanted = { username: unique("box"), ...fields };
        const made = pod ? await this.quiet.pods.inboxes.create(pod, wanted) : await this.quiet.inboxes.create(wanted);
        return made.inboxId;
    }

    // An inbox to look at from one level, and on(resource): the resource there, with the level's id filled in.
    async scene(level) {
        const pod = level === "pod" ? (await this.quiet.pods.create({ name: unique("pod") })).podId : undefined;
        const inbox = await this.inbox(pod);
        const root = { organization: this.client, pod: this.client.pods, inbox: this.client.inboxes }[level];
        const ids = { organization: [], pod: [pod], inbox: [inbox] }[level];
        const bound = (resource) => new Proxy({}, { get: (_, method) => (...words) => root[resource][method](...ids, ...words) });
        return { level, pod, inbox, on: bound };
    }

    // Mail from outside, by SMTP on port 25; returns its Message-ID, with angle brackets.
    async receive(inbox, subject = "Hello", { text = "Hello, agent.", fields = {}, from = "zoe@client.example.net", file } = {}) {
        const id = fields["Message-ID"] || `<${unique("m")}@client.example.net>`;
        const head = { From: from, To: inbox, Subject: subject, Date: "Sat, 21 Nov 2026 10:00:00 +0000", "MIME-Version": "1.0", ...fields, "Message-ID": id };
        let body = `Content-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`;
        if (file) {
            body = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${body}--b\r\nContent-Type: application/octet-stream\r\n` +
                `Content-Disposition: attachment; filename="${file.name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n${file.content.toString("base64")}\r\n--b--\r\n`;
        }
        await deliver(inbox, Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`).join("") + body);
        return id;
    }

    // The message with that subject in the inbox, once it is there.
    arrived(inbox, subject) {
        const look = async () => (await this.quiet.inboxes.messages.list(inbox, { subject: [subject] })).messages.find((m) => m.labels.includes("received"));
        return waitUntil(look, `${subject} in ${inbox}`);
    }

    async threadOf(inbox, id) {
        return (await this.quiet.inboxes.messages.get(inbox, id)).threadId;
    }
}

// One message over a plain SMTP connection; the reply to the final dot must be 250.
function deliver(recipient, content) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(settings.smtpIn[1], settings.smtpIn[0]);
        const dotted = content.replace(/\r\n\./g, "\r\n..");
        const lines = ["EHLO client.example.net", "MAIL FROM:<sender@client.example.net> BODY=8BITMIME", `RCPT TO:<${recipient}>`, "DATA", `${dotted}.`, "QUIT"];
        let buffer = "";
        socket.setTimeout(20000, () => reject(new Error("SMTP: no reply")));
        socket.on("error", reject);
        socket.on("data", (piece) => {
            buffer += piece;
            const last = /(?:^|\n)(\d{3}) [^\n]*\n$/.exec(buffer);
            if (!last) {
                return;
            }
            const reply = buffer;
            buffer = "";
            if (Number(last[1]) >= 400) {
                socket.destroy();
                reject(new Error(`SMTP: ${reply}`));
            } else if (lines.length) {
                socket.write(`${lines.shift()}\r\n`);
            } else {
                socket.end();
                resolve();
            }
        });
    });
}

// What an IMAP session sees of a mailbox: [{ subject, flags }].
async function seenByImap(inbox, mailbox = "INBOX") {
    const flow = new ImapFlow({ host: "localhost", port: settings.imaps, secure: true, tls: { ca: fs.readFileSync(settings.ca) }, logger: false,
        auth: { user: inbox, pass: settings.key } });
    await flow.connect();
    const lock = await flow.getMailboxLock(mailbox);
    const found = [];
    if (flow.mailbox.exists) {
        for await (const message of flow.fetch("1:*", { envelope: true, flags: true })) {
            found.push({ subject: message.envelope.subject, flags: message.flags });
        }
    }
    lock.release();
    await flow.logout();
    return found;
}

// The call must fail with that status, in the form of every error.
async function refused(status, call, code) {
    let result;
    try {
        result = await call();
    } catch (error) {
        assert(error instanceof AgentMailError, `not an error of the API: ${error}`);
        assert.equal(error.statusCode, status, `status of ${JSON.stringify(error.body)}`);
        assert(error.body && error.body.name, `an error without a name: ${JSON.stringify(error.body)}`);
        if (code) {
            assert.equal(error.body.code, code);
        }
        return error;
    }
    assert.fail(`answered, and must be refused with ${status}: ${JSON.stringify(result)}`);
}

// Every item of a list, read in small pages.
async function pages(method, key, request = {}, limit = 2) {
    const items = [];
    let pageToken;
    for (let turn = 0; turn < 500; turn += 1) {
        const page = await method({ ...request, limit, ...(pageToken ? { pageToken } : {}) });
        assert.equal(page.count, page[key].length);
        assert(page[key].length <= limit, `a page of ${page[key].length} where ${limit} were asked for`);
        items.push(...page[key]);
        pageToken = page.nextPageToken;
        if (!pageToken) {
            return items;
        }
    }
    assert.fail("a list without an end");
}

async function download(url) {
    const answer = await fetch(url);
    assert.equal(answer.status, 200, `status of ${url}`);
    return Buffer.from(await answer.arrayBuffer());
}

const has = (labels, ...wanted) => assert(wanted.every((one) => labels.includes(one)), `${wanted} are not all among ${labels}`);
const lacks = (labels, ...unwanted) => assert(!unwanted.some((one) => labels.includes(one)), `one of ${unwanted} is among ${labels}`);

// A web server that keeps what is posted to it: { url, posts, close }.
function receiver() {
    const posts = [];
    const server = http.createServer((request, response) => {
        let body = "";
        request.on("data", (piece) => (body += piece));
        request.on("end", () => {
            posts.push({ headers: request.headers, body });
            response.writeHead(204).end();
        });
    });
    return new Promise((resolve) => {
        server.listen(0, "127.0.0.1", () => resolve({ url: `http://127.0.0.1:${server.address().port}`, posts, close: () => server.close() }));
    });
}

module.exports = { Case, atLevels, assert, checks, crypto, download, drives, has, lacks, newClient, pages, pause, receiver, refused, seenByImap, settings,
    unique, waitUntil };
