#!/usr/bin/env python3
"""Verifies a bundle of logtrace's audit log: nothing but Python's standard library.

    verify.py [--key NAME+HASH+KEY] [--anchor OLD.ckpt] [--json] BUNDLE.tar

Make one with `logtrace audit bundle`. Says what is wrong in one sentence and ends with 1, or says
that nothing is and ends with 0. It is short so that it can be read: whoever does not trust the
daemon's own verifier needs only this page.

An entry is a line of JSON; its hash is SHA-256(0x00 and the line). Hashes are the leaves of the
tree of RFC 6962, whose root is signed with Ed25519 in checkpoints (C2SP signed notes).
"""

import argparse
import base64
import hashlib
import json
import sys


class Fault(Exception):
    """What is wrong, and the first entry that was changed, dropped or reordered, if it is known."""

    def __init__(self, what, entry=None):
        super().__init__(what)
        self.entry = entry


# Ed25519 (RFC 8032): only what it takes to verify.

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def add(one, two):
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point_of(octets):
    y = int.from_bytes(octets, "little")
    x = recover_x(y & (2**255 - 1), y >> 255)
    return None if x is None else (x, y & (2**255 - 1), 1, x * (y & (2**255 - 1)) % P)


def is_signed(public, message, signature):
    key, random = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or random is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    left, right = times(s, BASE), add(random, times(h, key))
    same = lambda n: (left[n] * right[2] - right[n] * left[2]) % P == 0
    return same(0) and same(1)


# The tree of RFC 6962.


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Log:
    """The roots of the whole trees that a log is made of, the largest first."""

    def __init__(self, size, peaks):
        self.size, self.peaks = size, peaks

    def push(self, hash_):
        number = self.size
        while number & 1:
            hash_, number = node(self.peaks.pop(), hash_), number >> 1
        self.peaks.append(hash_)
        self.size += 1

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node(left, root)
        return root


def is_consistent(old, old_root, size, root, proof):
    """Whether the log of `size` entries begins with that of `old` (RFC 9162, 2.1.4.2)."""
    proof = list(proof)
    if old & (old - 1) == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    number, last = old - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    by_old = by_new = proof[0]
    for other in proof[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            by_old, by_new = node(other, by_old), node(other, by_new)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            by_new = node(by_new, other)
        number, last = number >> 1, last >> 1
    return by_old == old_root and by_new == root and last == 0


# Keys and checkpoints.


def read_key(text):
    """(name, hash, public key) of `NAME+HASH+KEY`, or None."""
    try:
        name, hash_, key = text.strip().split("+", 2)
        key = base64.b64decode(key, validate=True)
    except ValueError:
        return None
    found = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    return (name, found, key[1:]) if key[:1] == b"\1" and found.hex() == hash_ else None


def read_checkpoint(note, what, origin, keys):
    """(size, root) of a signed note of this log."""
    try:
        text, signatures = note.decode().rsplit("\n\n", 1)
        name, size, root = (text + "\n").splitlines()[:3]
        size, root = int(size), base64.b64decode(root, validate=True)
        signed = [line.split(" ", 2) for line in signatures.splitlines()]
        if not note.endswith(b"\n") or not signed or any(line[0] != "—" for line in signed):
            raise ValueError
        signed = [(line[1], base64.b64decode(line[2], validate=True)) for line in signed]
    except (ValueError, IndexError):
        raise Fault(f"{what} was changed: it is no signed note") from None
    if name != origin:
        raise Fault(f"{what} is of another log: expected {origin}, but found {name}")
    for signer, signature in signed:
        for key in keys:
            is_his = (signer, signature[:4]) == key[:2]
            if is_his and is_signed(key[2], (text + "\n").encode(), signature[4:]):
                return size, root
    raise Fault(f"{what} was changed, or is signed by a key that is not known")


# The bundle.


def wrong_with(index, line, hash_, kept, previous):
    """What is wrong with an entry, as far as it can be told by itself."""
    try:
        entry = json.loads(line)
        found, before = int(entry["index"]), entry["previous"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"entry {index} was changed: it is no entry any more"
    if found > index and kept != hash_:
        return f"entry {index} was dropped or moved: entry {found} is in its place"
    if found < index and kept != hash_:
        return f"entry {index} was moved or written over: entry {found} is in its place"
    if kept is None:
        return f"the hash that is kept of entry {index} was dropped"
    if kept != hash_:
        return f"entry {index} was changed: it is not what its hash says"
    if found != index:
        return f"entry {index} was changed: it says that it is entry {found}"
    if before != previous.hex():
        return f"entry {index} does not follow the one before: one of them was changed"
    return None


def read_tar(data):
    """Names and contents of the files of a tar: plain ones, and nothing between or behind them."""
    members, at = [], 0
    while any(data[at : at + 512]):
        header = data[at : at + 512]
        try:
            name = header[:100].rstrip(b"\0").decode()
            size = int(header[124:136].strip(b"\0 "), 8)
            found = int(header[148:156].strip(b"\0 "), 8)
        except ValueError:
            raise Fault("expected a whole bundle, but found a file that is none of ours") from None
        same = found == sum(header[:148]) + 8 * 32 + sum(header[156:])
        plain = not any(header[156:257] + header[345:])
        padding = data[at + 512 + size : at + 512 + (size + 511) // 512 * 512]
        if len(header) < 512 or not same or not plain or "\0" in name or any(padding):
            raise Fault(f"expected a whole bundle, but found a file that was changed: {name!r}")
        members.append((name, data[at + 512 : at + 512 + size]))
        at += 512 + (size + 511) // 512 * 512
    if len(data) != at + 1024 or any(data[at:]):
        raise Fault("expected a whole bundle, but it ends elsewhere")
    return members


def number(name, before, behind):
    """The number in the name of a file, which is written with twenty digits."""
    digits = name[len(before) : len(name) - len(behind)]
    if not name.startswith(before) or not name.endswith(behind) or not digits.isdecimal():
        return None
    return int(digits) if digits == f"{int(digits):020}" else None


def order(members):
    """The files that stand in front of the entries, by name, and those behind."""
    last, ahead = (0, 0), {}
    for at, (name, content) in enumerate(members):
        size = number(name, "checkpoints/", "")
        if name.startswith(("entries/", "hashes/")):
            return ahead, members[at:]
        place = {"bundle.json": (1, 0), "keys": (2, 0)}.get(name)
        place = place or ((3, size) if size is not None else None)
        place = place or ((4, 0) if name.startswith("consistency/") else (0, 0))
        if place <= last:
            raise misplaced(name)
        ahead[name], last = content, place
    return ahead, []


def misplaced(name, entry=None):
    what = "the files of the bundle were changed, dropped or reordered"
    return Fault(f"{what}: {name!r} is not where it belongs", entry)


def verify(members, trusted, anchor):
    """How many entries and checkpoints are as they were signed."""
    files, behind = order(members)
    try:
        head = json.loads(files["bundle.json"])
        origin, first, end = head["origin"], head["from"], head["to"]
        log = Log(first, [bytes.fromhex(peak) for peak in head["start"]])
        previous = bytes.fromhex(head["previous"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise Fault(f"bundle.json was changed: {error!r}") from None
    if head.get("format") != 1 or "keys" not in files:
        raise Fault("expected a bundle of format 1 with its keys")
    keys = trusted or [read_key(key) for key in files["keys"].decode(errors="replace").splitlines()]
    keys = [key for key in keys if key]
    signed, old, begin = {}, None, log.root()
    if anchor is not None:
        old = read_checkpoint(anchor, "the anchor", origin, keys)
    for name in files:
        if name.startswith("checkpoints/"):
            size, root = read_checkpoint(files[name], name, origin, keys)
            if size != int(name.split("/")[1]):
                raise Fault(f"{name} was changed: it is of {size} entries")
            signed[size] = root
    suspect, good, checkpoints = None, first, 0
    while behind:
        (name, content), behind = behind[0], behind[1:]
        if number(name, "entries/", ".ndjson") != log.size:
            raise suspect or misplaced(name, log.size)
        hashes, lines = b"", content.split(b"\n")
        lines = lines[:-1] if lines[-1] == b"" else lines
        if behind and number(behind[0][0], "hashes/", "") == log.size:
            hashes, behind = behind[0][1], behind[1:]
        for n, line in enumerate(lines):
            index, hash_ = log.size, leaf(line)
            kept = hashes[n * 32 : n * 32 + 32] if len(hashes) >= n * 32 + 32 else None
            what = wrong_with(index, line, hash_, kept, previous)
            suspect = suspect or (what and Fault(what, index))
            log.push(hash_)
            previous = hash_
            for size, root in [*signed.items(), *([old] if old else [])]:
                if size != log.size:
                    continue
                if root != log.root():
                    what = f"entries {good} to {index} are not what was signed of {size} entries"
                    raise suspect or Fault(what, good)
                good, checkpoints = size, checkpoints + 1
            if suspect and good == log.size:
                what = f"what is kept beside entry {suspect.entry} was changed, not the entry"
                raise Fault(what, suspect.entry)
        if len(hashes) > 32 * len(lines):
            what = "there are hashes of entries that are not there"
            suspect = suspect or Fault(f"at entry {log.size}: {what}", log.size)
    if suspect:
        raise suspect
    if signed and max(signed) > log.size:
        raise Fault(f"entry {log.size} and those behind it were cut off", log.size)
    if old:
        check_anchor(old, first, begin, log, files)
    if good < log.size or not checkpoints:
        raise Fault(f"entries from {good} on are not signed", good)
    if log.size != end:
        raise Fault(f"the bundle says that it ends with {end}", min(log.size, end))
    return log.size - first, checkpoints


def check_anchor(old, first, begin, log, files):
    """Whether the log begins with what the anchor says, where that was not seen on the way."""
    size, root = old
    if size > log.size:
        raise Fault(f"entry {log.size} and those behind it were cut off", log.size)
    if size == 0 or size > first:
        return
    other = Fault(f"the log does not begin with the {size} entries of the anchor", 0)
    if size == first:
        if root != begin:
            raise other
        return
    proof = files.get(f"consistency/{size}.json")
    if proof is None:
        raise Fault("the anchor is older than the bundle, which was made without it")
    try:
        proof = [bytes.fromhex(hash_) for hash_ in json.loads(proof)]
    except (ValueError, TypeError, RecursionError):
        raise other from None
    if not is_consistent(size, root, log.size, log.root(), proof):
        raise other


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--key", action="append", default=[], help="a key that may have signed")
    parser.add_argument("--anchor", help="a checkpoint that was kept elsewhere")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    trusted = [read_key(key) for key in args.key]
    if None in trusted:
        parser.error("--key: expected NAME+HASH+KEY")
    done = {"good": True, "entry": None, "what": None}
    try:
        try:
            members = read_tar(open(args.bundle, "rb").read())
        except OSError as error:
            raise Fault(str(error)) from None
        anchor = open(args.anchor, "rb").read() if args.anchor else None
        entries, checkpoints = verify(members, trusted, anchor)
        done["what"] = f"{entries} entries are as {checkpoints} checkpoints say"
    except Fault as fault:
        done = {"good": False, "entry": fault.entry, "what": str(fault)}
    print(json.dumps(done) if args.json else done["what"])
    return 0 if done["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
