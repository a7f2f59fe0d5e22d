"""Makes a folder as a power loss would leave it, from its state before and the shim's log.

Durable are: what was there before, and for each file and folder what was recorded before a sync of it began. All else
is unsynced. How much of that a disk kept is the mode: `all` of it is lost; `half` of the operations are lost, each by
the toss of a coin; `torn` tosses for each 4 KiB of a write, and where a lost piece lay at the end of a file the size
may have grown all the same. Of a folder's unsynced changes a random first part is kept, as file systems log them in
order. A new file whose folder was not synced is gone, whatever was synced into it.
"""

import os
import random
import shutil
import struct

CREATE, WRITE, TRUNCATE, RENAME, UNLINK, MKDIR, RMDIR, SYNC, FAILED = range(1, 10)
HEAD = struct.Struct("<IIQQQIIII")
MODES = ("all", "half", "torn")
BLOCK = 4096


class File:
    def __init__(self, content=b""):
        self.durable = bytearray(content)
        self.pending = []  # (record number, offset, data) or (record number, length, None) for a truncation

    def sync(self, before):
        for number, at, data in self.pending:
            if number < before:
                self.apply(at, data)
        self.pending = [operation for operation in self.pending if operation[0] >= before]

    def apply(self, at, data):
        end = at if data is None else at + len(data)
        if len(self.durable) < (at if data is None else end):
            self.durable.extend(bytes(end - len(self.durable)))
        if data is None:
            del self.durable[at:]
        else:
            self.durable[at:end] = data

    def lose(self, mode, chance):
        for _, at, data in self.pending:
            if mode == "torn" and data is not None:
                for start, piece in blocks(at, data):
                    if chance.random() < 0.5:
                        self.apply(start, piece)
                    elif chance.random() < 0.5 and len(self.durable) < start + len(piece):
                        self.apply(start + len(piece), b"")
            elif mode != "all" and chance.random() < 0.5:
                self.apply(at, data)
        lost, self.pending = len(self.pending), []
        return lost


class Folder:
    def __init__(self):
        self.durable, self.now = {}, {}
        self.pending = []  # (record number, {name: node, or None for gone})

    def change(self, number, entries):
        self.pending.append((number, entries))
        merge(self.now, entries)

    def sync(self, before):
        for number, entries in self.pending:
            if number < before:
                merge(self.durable, entries)
        self.pending = [operation for operation in self.pending if operation[0] >= before]

    def lose(self, mode, chance):
        lost = len(self.pending)
        for _, entries in self.pending[:0 if mode == "all" else chance.randint(0, lost)]:
            merge(self.durable, entries)
        self.pending = []
        return lost


def merge(names, entries):
    for name, node in entries.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def blocks(at, data):
    """A write in pieces that end at multiples of BLOCK."""
    start = 0
    while start < len(data):
        size = BLOCK - (at + start) % BLOCK
        yield at + start, data[start:start + size]
        start += size


class Disk:
    """The folder at `path`, everything in it durable, and what a log then did to it."""

    def __init__(self, path):
        self.path, self.nodes = path, {}
        self.root = self.load(path)

    def load(self, path):
        info = os.lstat(path)
        if not os.path.isdir(path):
            with open(path, "rb") as file:
                node = File(file.read())
        else:
            node = Folder()
            node.now = {name: self.load(os.path.join(path, name)) for name in os.listdir(path)}
            node.durable = dict(node.now)
        self.nodes[info.st_ino] = node
        return node

    def parent(self, path):
        """(folder node, last name) of an absolute path."""
        *folders, name = [part for part in path[len(self.path):].split("/") if part not in ("", ".")]
        node = self.root
        for folder in folders:
            node = node.now[folder]
        return node, name

    def replay(self, log):
        for number, (kind, inode, offset, length, path, other, data) in enumerate(records(log)):
            node = self.nodes.get(inode)
            if kind in (CREATE, MKDIR):
                self.nodes[inode] = made = File() if kind == CREATE else Folder()
                folder, name = self.parent(path)
                folder.change(number, {name: made})
            elif kind == WRITE:
                node.pending.append((number, offset, data))
            elif kind == TRUNCATE:
                node.pending.append((number, length, None))
            elif kind in (UNLINK, RMDIR):
                folder, name = self.parent(path)
                folder.change(number, {name: None})
            elif kind == RENAME:
                source, old = self.parent(path)
                target, new = self.parent(other)
                if source is target:
                    source.change(number, {new: source.now[old], old: None} if old != new else {})
                else:
                    target.change(number, {new: source.now[old]})
                    source.change(number, {old: None})
            elif kind == SYNC and node is not None:
                node.sync(offset)

    def power_loss(self, mode, chance):
        """Drops unsynced changes and writes what is left to the folder; returns how many changes were unsynced."""
        lost = sum(node.lose(mode, chance) for node in dict.fromkeys([*self.nodes.values(), *self.reachable(self.root)]))
        for name in os.listdir(self.path):
            entry = os.path.join(self.path, name)
            shutil.rmtree(entry) if os.path.isdir(entry) and not os.path.islink(entry) else os.unlink(entry)
        self.store(self.root, self.path)
        return lost

    def reachable(self, node):
        yield node
        if isinstance(node, Folder):
            for child in {id(child): child for child in [*node.now.values(), *node.durable.values(), *(
                    c for _, entries in node.pending for c in entries.values() if c)]}.values():
                yield from self.reachable(child)

    def store(self, node, path):
        for name, child in node.durable.items():
            where = os.path.join(path, name)
            if isinstance(child, Folder):
                os.mkdir(where, 0o700)
                self.store(child, where)
            else:
                with open(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(child.durable)


def records(log):
    """The records of a log; a torn one at its end was of a call that did not return."""
    with open(log, "rb") as file:
        text = file.read()
    at = 0
    while at + HEAD.size <= len(text):
        magic, kind, inode, offset, length, path, other, size, _ = HEAD.unpack_from(text, at)
        if magic != 0x50524D31:
            raise ValueError(f"no record at offset {at} of {log}")
        start = at + HEAD.size
        at = start + path + other + size
        if at > len(text):
            return
        yield (kind, inode, offset, length, os.fsdecode(text[start:start + path]),
               os.fsdecode(text[start + path:start + path + other]), text[start + path + other:at])


def lose_power(before, log, mode, seed):
    """`before` is a Disk made before the process started; afterwards its folder is as the power loss left it."""
    before.replay(log)
    return before.power_loss(mode, random.Random(seed))
