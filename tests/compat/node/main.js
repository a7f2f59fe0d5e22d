// Runs the checks of the Node client; a JSON line each. The last line has every operation of the client.

const hosted = require("./hosted.js");
const world = require("./world.js");
for (const name of ["inboxes", "messages", "threads", "drafts", "keys", "domains", "events"]) {
    require(`./checks_${name}.js`);
}

// Every method of the client by its path: `inboxes.messages.send`.
function operations(client, path = "", found = new Set()) {
    for (let prototype = Object.getPrototypeOf(client); prototype && prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
        for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
            if (name === "constructor" || name.startsWith("_") || (!path && name === "fetch")) {
                continue; // `fetch` sends any request; it is no operation of the API
            }
            if (property.get) {
                operations(client[name], `${path}${name}.`, found);
            } else {
                found.add(path + name);
            }
        }
    }
    return found;
}

async function one(check) {
    const begun = performance.now();
    const test = new world.Case();
    let verdict = "pass";
    try {
        await check.run(test);
        const missing = check.operations.filter((operation) => !check.hosted && !test.answered.has(operation));
        world.assert.equal(missing.length, 0, `the check never called ${missing}`);
    } catch (error) {
        const place = /checks_\w+\.js:\d+/.exec(error.stack || "");
        const text = error.statusCode ? `HTTP ${error.statusCode} ${JSON.stringify(error.body)}` : String(error.message || error);
        verdict = `${text.replace(/\s+/g, " ").slice(0, 600)}${place ? ` (${place[0]})` : ""}`;
    }
    console.log(JSON.stringify({ operations: check.operations, hosted: check.hosted, verdict, seconds: (performance.now() - begun) / 1000 }));
}

async function main() {
    const { only } = world.settings;
    for (const check of world.checks) {
        if (!only.length || only.some((word) => check.operations[0].toLowerCase().includes(word.toLowerCase()))) {
            await one(check);
        }
    }
    for (const [operation, run] of only.length ? [] : Object.entries(hosted)) {
        await one({ operations: [operation], run, hosted: true });
    }
    console.log(JSON.stringify({ every: [...operations(world.newClient("am_x"))] }));
    process.exit(0);
}

main();
