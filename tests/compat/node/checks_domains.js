// Domains and their records, and the lists of who may write to whom.
const { assert, atLevels, drives, pages, refused, unique } = require("./world.js");

const ABOVE = ["organization", "pod"];
const name = () => `${unique("d")}.test`;

atLevels("domains.create", async (_, scene) => {
    const domain = name();
    const made = await scene.on("domains").create({ domain, feedbackEnabled: false });
    assert.deepEqual([made.domain, made.domainId, made.feedbackEnabled], [domain, domain, false]);
    const kinds = made.records.map((r) => `${r.type} ${r.name}`);
    assert(kinds.includes(`MX ${domain}`) && kinds.some((k) => k.includes("._domainkey.")), kinds.join());
    await refused(400, () => scene.on("domains").create({ domain: "not a domain" }), "validation_error");
}, ABOVE);

atLevels("domains.get", async (_, scene) => {
    const made = await scene.on("domains").create({ domain: name() });
    assert.equal((await scene.on("domains").get(made.domainId)).records.length, made.records.length);
    await refused(404, () => scene.on("domains").get(name()), "not_found");
}, ABOVE);

atLevels("domains.list", async (_, scene) => {
    const made = [(await scene.on("domains").create({ domain: name() })).domainId, (await scene.on("domains").create({ domain: name() })).domainId];
    assert.deepEqual((await scene.on("domains").list({ limit: 2 })).domains.map((d) => d.domainId), [...made].reverse());
}, ABOVE);

atLevels("domains.update", async (_, scene) => {
    const made = await scene.on("domains").create({ domain: name(), feedbackEnabled: true });
    const changed = await scene.on("domains").update(made.domainId, { feedbackEnabled: false });
    assert.deepEqual([changed.feedbackEnabled, changed.subdomainsEnabled], [false, false]);
}, ABOVE);

atLevels("domains.verify", async (_, scene) => {
    const made = await scene.on("domains").create({ domain: name() });
    await scene.on("domains").verify(made.domainId);
    await refused(404, () => scene.on("domains").verify(name()), "not_found");
}, ABOVE);

atLevels("domains.getZoneFile", async (_, scene) => {
    const made = await scene.on("domains").create({ domain: name() });
    const zone = Buffer.from(await (await scene.on("domains").getZoneFile(made.domainId)).arrayBuffer()).toString();
    assert(zone.includes("_domainkey") && zone.includes("MX") && zone.includes("_dmarc"), zone);
}, ABOVE);

atLevels("domains.delete", async (_, scene) => {
    const made = await scene.on("domains").create({ domain: name() });
    await scene.on("domains").delete(made.domainId);
    await refused(404, () => scene.on("domains").get(made.domainId), "not_found");
}, ABOVE);

drives("domains.getSetupLink", async (test) => {
    const made = await test.quiet.domains.create({ domain: name() });
    assert.equal((await test.client.domains.getSetupLink(made.domainId)).supported, false);
});

atLevels("lists.create", async (test, scene) => {
    const sender = `${unique()}@client.example.net`;
    const made = await scene.on("lists").create("receive", "block", { entry: sender, reason: "no" });
    assert.deepEqual([made.entry, made.reason, made.direction, made.listType, made.entryType], [sender, "no", "receive", "block", "email"]);
    await test.receive(scene.inbox, "Blocked", { from: sender });
    const shown = async (request) => (await test.quiet.inboxes.messages.list(scene.inbox, request)).count;
    assert.deepEqual([await shown({}), await shown({ includeBlocked: true })], [0, 1]);
});

atLevels("lists.get", async (_, scene) => {
    const entry = `${unique()}+tag@client.example.net`;
    await scene.on("lists").create("send", "block", { entry });
    assert.equal((await scene.on("lists").get("send", "block", entry)).entry, entry);
    await refused(404, () => scene.on("lists").get("receive", "block", entry), "not_found");
});

atLevels("lists.list", async (_, scene) => {
    const made = [`${unique()}.example`, `${unique()}.example`].sort();
    for (const entry of [...made].reverse()) {
        await scene.on("lists").create("receive", "block", { entry });
    }
    const found = (await pages((request) => scene.on("lists").list("receive", "block", request), "entries", {}, 5)).map((e) => e.entry);
    assert.deepEqual(found.filter((entry) => made.includes(entry)), made);
});

atLevels("lists.delete", async (_, scene) => {
    const entry = `${unique()}@client.example.net`;
    await scene.on("lists").create("receive", "block", { entry });
    await scene.on("lists").delete("receive", "block", entry);
    await refused(404, () => scene.on("lists").get("receive", "block", entry), "not_found");
});
