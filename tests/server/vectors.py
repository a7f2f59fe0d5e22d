#!/usr/bin/env python3
"""Our verdicts beside dkimpy's and pyspf's, on the vectors that the mail-auth package ships and on RFC 8463's example.

The vectors are read from the registry's copy on this machine; DNS is the name server of the test. `judge`, the example
program of crates/message, is our side.
"""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import packages
import scenario
from nameserver import TYPES, NameServer
from scenario import check, command, equal, say, temp_folder
from server import target_folder

# Where ours and pyspf's differ, and why. `(file, client address, first label of the domain): reason`.
DIFFERENCES = {
    ("all.yml", "10.0.0.1", "test"): "mail-auth overlooks a mechanism that does not exist behind `all` (RFC 7208 §4.6: permerror)",
    ("basic.yml", "172.168.0.1", "this"): "pyspf takes a domain of more than 255 octets (RFC 7208 §4.3: none)",
    ("basic.yml", "172.168.0.1", "nolabels"): "pyspf takes a domain of one label (RFC 7208 §4.3: none)",
    ("basic.yml", "172.168.0.1", "ok"): "pyspf limits void lookups to two (RFC 7208 §4.6.4: should); the vector does not",
    ("basic.yml", "10.0.0.8", "mx"): "void lookups, as above",
    ("basic.yml", "10.0.0.11", "ptr"): "void lookups, as above",
    ("exists.yml", "167.1.2.3", "ip6"): "mail-auth looks for AAAA records in `exists` too (RFC 7208 §5.7: A only)",
    ("macro.yml", "2001:db8::cb01", "mx"): "AAAA in `exists`, as above",
    ("ip.yml", "10.1.2.3", "test"): "pyspf does not see the IPv4 address in an IPv6 network of mapped addresses",
    ("examples.yml", "192.0.2.1", "mx"): "mail-auth 0.13.3 matches `ptr` on the very name only, not on a subdomain (RFC 7208 §5.5 says not to use it)",
    ("ptr.yml", "192.168.1.5", "test"): "`ptr`, as above",
}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def resources():
    """The folder of vectors in cargo's copy of the package."""
    output = command(["cargo", "metadata", "--locked", "--format-version", "1"], cwd=ROOT, seconds=120)
    told = json.loads(next(line for line in output.splitlines() if line.startswith(b"{")))  # cargo may say that it waits
    manifest = next(package["manifest_path"] for package in told["packages"] if package["name"] == "mail-auth")
    return os.path.join(os.path.dirname(manifest), "resources")


def judged(names, cases):
    """Our verdict for each (ip, client, sender, content): [(spf, dmarc, arc, [dkim])]."""
    folder, lines = temp_folder("judge"), []
    for number, (ip, client, sender, content) in enumerate(cases):
        path = os.path.join(folder, str(number))
        with open(path, "wb") as file:
            file.write(content)
        lines.append(f"{ip}\t{client}\t{sender}\t{path}\n")
    program = os.path.join(target_folder(), "debug", "examples", "judge")
    output = command([program, names.address], input="".join(lines).encode(), seconds=200).decode().splitlines()
    equal(len(output), len(cases), "verdicts")
    return [(spf, dmarc, arc, [one for one in dkim.split(",") if one]) for spf, dmarc, arc, dkim in (line.split("\t") for line in output)]


def signatures(folder):
    """Every message of the DKIM and ARC vectors, whole and damaged, as dkimpy judges it."""
    import dkim
    counted = 0
    for path in sorted(glob.glob(folder + "/dkim/*.txt")):
        with open(path, encoding="utf-8") as file:
            records, text = file.read().split("\n\n", 1)
        names = NameServer({(line.split(" ", 1)[0], "TXT"): line.split(" ", 1)[1] for line in records.split("\n") if " " in line})
        whole = text.replace("\n", "\r\n").encode()
        versions = [whole, whole + b" \r\n\t\r\n", whole + b"more\r\n", whole.replace(b"\r\nSubject: ", b"\r\nSubject: not ", 1),
                    whole.replace(b"\r\nFrom: ", b"\r\nFROM:  ", 1), whole.replace(b"\r\n\r\n", b"\r\nFrom: evil@example.net\r\n\r\n", 1)]
        for version, ours in zip(versions, judged(names, [("192.0.2.1", "x.example", "", version) for version in versions])):
            lookup = lambda name, timeout=5, names=names: (names.records.get((name.decode().rstrip(".").lower(), 16)) or [None])[0]  # noqa: E731
            theirs = []
            for index in range(whole.count(b"DKIM-Signature:")):
                try:
                    good = dkim.DKIM(version, minkey=512).verify(idx=index, dnsfunc=lambda n, timeout=5: (lookup(n) or "").encode() or None)
                except dkim.DKIMException:
                    good = False
                theirs.append(good)
            equal([one == "pass" for one in ours[3]], theirs, f"{os.path.basename(path)}, version {versions.index(version)}: {ours[3]}")
            counted += len(theirs)
    return counted


def documents(folder):
    """The SPF vectors, in pieces that share their records: (file, records, [(ip, domain, sender, expected)])."""
    for path in sorted(glob.glob(folder + "/spf/*.yml")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for document in text.split("---\n"):
            records, cases, case = {}, [], {}
            for line in document.split("\n"):
                key, _, value = line.strip().removeprefix("-").strip().partition(":")
                value = value.strip()
                if key in ("spf", "exp", "a", "aaaa", "mx", "ptr") and cases:
                    yield os.path.basename(path), dict(records), cases
                    cases = []
                if key in ("spf", "exp", "a", "aaaa", "mx", "ptr"):
                    add_record(records, key, *value.split(" ", 1))
                elif key in ("domain", "sender", "ip"):
                    case[key] = value
                elif key == "expect":
                    cases.append((case.get("ip", "127.0.0.1"), case.get("domain", ""), case.get("sender", ""), value.split(" ")[0]))
            if cases:
                yield os.path.basename(path), records, cases


def add_record(records, key, name, value):
    values = [one.strip() for one in value.split(",")]
    if key in ("spf", "exp"):
        records[(name, "TXT")] = [value.strip()]
    elif key in ("a", "aaaa"):
        records[(name, key.upper())] = values
    elif key == "mx":  # the vectors name addresses instead of hosts
        hosts = [f"mx{at}.{name}" for at in range(len(values))]
        records[(name, "MX")] = [f"{(at + 1) * 10} {host}" for at, host in enumerate(hosts)]
        for host, value in zip(hosts, values):
            records[(host, "AAAA" if ":" in value else "A")] = [value]
    else:
        records[(reverse(name), "PTR")] = values


def reverse(ip):
    import ipaddress
    return ipaddress.ip_address(ip).reverse_pointer


def table_lookup(names):
    """pyspf's way of asking DNS, answered from the name server's table."""

    def lookup(name, qtype, _tcp=True, _timeout=30):
        import spf
        if name.startswith("_dns_error"):
            raise spf.TempError("SERVFAIL")
        texts = names.records.get((name.lower().rstrip("."), TYPES.get(qtype, 0)), [])
        if qtype == "TXT":
            return [((name, qtype), (text.encode(),)) for text in texts]
        if qtype == "MX":
            return [((name, qtype), (int(text.split()[0]), text.split()[1])) for text in texts]
        return [((name, qtype), text) for text in texts]

    return lookup


def policies(folder):
    """Every SPF vector, judged by us and by pyspf."""
    import spf
    counted, differing = 0, []
    for file, records, cases in documents(folder):
        names = NameServer(records)
        spf.DNSLookup = table_lookup(names)
        content = b"From: x@example.net\r\n\r\nx\r\n"
        for (ip, domain, sender, expected), ours in zip(cases, judged(names, [(i, d, s, content) for i, d, s, _ in cases])):
            theirs = spf.check2(i=ip, s=sender, h=domain, timeout=10)[0]
            counted += 1
            if ours[0] != theirs:
                differing.append(((file, ip, domain.split(".")[0]), f"ours {ours[0]}, pyspf {theirs}, vector {expected}"))
    for case, how in differing:
        say(*case, how, DIFFERENCES.get(case, "NO REASON KNOWN"))
    return counted, differing


def run():
    packages.use_python_packages()
    folder = resources()
    signed = signatures(folder)
    counted, differing = policies(folder)
    say(f"{signed} signatures as dkimpy, {counted - len(differing)} of {counted} SPF policies as pyspf")
    check(signed > 30 and counted > 150, "too few vectors")
    equal({case for case, _ in differing}, set(DIFFERENCES), "SPF verdicts that differ")


scenario.main(run, 280)
