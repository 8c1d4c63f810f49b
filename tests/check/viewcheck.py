#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""viewcheck: did the nodes of a cluster tell the same story of its members?

Reads what `watch-membership --json` printed at each node, beginning with the
state, and judges it:

  seq       events are numbered without a hole, but where gap or down say so
  change    leave and join records come before their view and agree with it
  prev      a view follows the view before it
  members   are those before, less those that left, and those that joined
  order     views ascend at each node
  inc       a member leaves in the incarnation that it had; `was` of a join
            says truly whether it came back in the same one
  agree     a view has the same members wherever it is told
  together  who goes from one view to another with others tells the same
  verdict   and has the same verdict in it
  sides     there are never two disjoint quorate sides (beyond the lease)
  wake      a node that was stopped does not say yes first
  why       with a list of what was done to the nodes: each departure has its
            reason, none is missing, none is without a cause

Ends 0 and prints a line `viewcheck: ok …`, or 1 after FILE:LINE: PREDICATE:
what was broken; 64, 65, 66: bad usage, record, file.
"""
import argparse
import collections
import datetime
import json
import sys

OK, BROKEN, USAGE, BAD_DATA, NO_INPUT = 0, 1, 64, 65, 66
LIVE = {"leave", "join", "view", "quorum", "update", "pause", "fenced",
        "forget"}
UNNUMBERED = {"down", "up", "tick"}
VERDICT = ("quorate", "votes", "needed", "expected", "basis")
SAID_MAX = 20
SLEPT_MS = 15000  # so long a pause may show in what a node tells of others


class Bad(Exception):
    """Input that cannot be judged: exit code and text."""


class Place(collections.namedtuple("Place", "path line")):
    def __str__(self):
        return f"{self.path}:{self.line}"


class Report:
    def __init__(self):
        self.said = 0

    def broken(self, place, predicate, text):
        self.said += 1
        if self.said <= SAID_MAX:
            print(f"{place}: {predicate}: {text}")


# One line of a log; words is the object.
Record = collections.namedtuple("Record", "node place event ms words")
# A change as one node told it: leaves {node: (inc, reason)}, joins {node: inc};
# way: the views before and after, and who went that way together; slept: it
# had told a pause of its own a moment ago.
Change = collections.namedtuple(
    "Change", "node place ms way prev view members leaves joins slept")
# A verdict as one node told it, in a view that it reached this way.
Verdict = collections.namedtuple("Verdict", "place ms way view pos said")
# From ms on a node said this of a view with these members.
Said = collections.namedtuple("Said", "node place ms quorate members")
# A member left, as one node saw it; or was found gone in a new state.
Departure = collections.namedtuple(
    "Departure", "observer place ms node reason")


# ---- reading ---------------------------------------------------------------

def unix_ms(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(when.timestamp() * 1000)


def read_log(node, path):
    """Its records; a line without an end was cut off with its writer."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Bad(NO_INPUT, f"{path}: {error.strerror}") from error
    records = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        place = Place(path, number)
        try:
            words = json.loads(line)
            records.append(Record(node, place, words["event"],
                                  unix_ms(words["ts"]), words))
        except (ValueError, KeyError, TypeError) as error:
            raise Bad(BAD_DATA, f"{place}: no record: {error!r}") from error
    return records


def read_deeds(path):
    """What was done to the nodes: `UNIX_MS KIND WHOM`, see --deeds."""
    deeds = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                words = line.split()
                try:
                    deeds.append(Deed(Place(path, number), int(words[0]),
                                      words[1], words[2:]))
                except (ValueError, IndexError) as error:
                    raise Bad(BAD_DATA,
                              f"{path}:{number}: no deed") from error
    except OSError as error:
        raise Bad(NO_INPUT, f"{path}: {error.strerror}") from error
    deeds.sort(key=lambda deed: deed.ms)
    cut = None
    for deed in deeds:
        if deed.kind in ("cut", "oneway"):
            cut = deed
        elif deed.kind == "heal":
            deed.healed = cut
    return deeds


class Deed:
    """Something that was done to nodes from outside, and its consequences."""

    # What a survivor may say of a node to which this was done.
    REASONS = {
        "stop": {"left"},
        "kill": {"lost"},
        "restart": {"restarted"},
        "pause": {"lost", "partition"},
        "cut": {"lost", "partition"},
        "oneway": {"lost", "partition"},
    }
    # A stall was seen, not done: it may have no consequences at all.
    OTHERS = {"start", "resume", "heal", "stall"}

    def __init__(self, place, ms, kind, args):
        if kind not in self.REASONS and kind not in self.OTHERS:
            raise ValueError(kind)
        self.place, self.ms, self.kind = place, ms, kind
        self.sides = []
        self.node = None
        self.healed = None  # the cut that this ends
        if kind in ("cut", "oneway"):
            split = "|" if kind == "cut" else ">"
            self.sides = [{int(node) for node in side.split(",")}
                          for side in args[0].split(split)]
            if len(self.sides) != 2:
                raise ValueError(args[0])
        elif kind != "heal":
            self.node = int(args[0])

    def parts(self, one, other):
        """Two nodes that may lose each other by it."""
        if self.kind == "stall":
            return True  # who holds up the ring makes all form another
        if self.node is not None:
            return self.node in (one, other)
        if self.kind == "heal":
            return self.healed is not None and self.healed.parts(one, other)
        if self.kind == "oneway":
            # The ring decides who has to go; not those who still hear all
            # of their own side.
            return not any({one, other} <= side for side in self.sides)
        here = [one in side for side in self.sides]
        there = [other in side for side in self.sides]
        return any(here) and any(there) and here != there

    def reasons(self, observer):
        """Of departures that observer tells."""
        if self.node == observer or self.kind == "heal":
            # It was away itself: what it sees of others is its absence.
            return {"lost", "partition", "left", "restarted"}
        if self.kind == "stall":
            return {"lost", "partition"}
        return self.REASONS.get(self.kind, set())

    def __str__(self):
        whom = self.node or "|".join(
            ",".join(map(str, sorted(side))) for side in self.sides)
        return f"{self.kind} {whom} at {self.ms}"


# ---- one stream ------------------------------------------------------------

def sequence(view):
    return int(view.split(".")[1])


class Stream:
    """The log of one node, judged by itself."""

    def __init__(self, report, node):
        self.report, self.node = report, node
        self.changes, self.verdicts, self.said = [], [], []
        self.departures = []
        self.epoch = self.seq = self.view = self.way = None
        self.members = set()
        self.inc = {}      # of the members, as they were told
        self.newest = {}   # of each node, its newest incarnation ever
        self.known = {}    # the same, as the daemon that tells can know
        self.leaves, self.joins = {}, {}
        self.snapshot = None  # members in it, while it is told
        self.is_excused = True  # it is new, or lost something
        self.paused_ms = None

    def broken(self, record, predicate, text):
        self.report.broken(record.place, predicate, text)

    def take(self, record):
        if record.event in UNNUMBERED:
            if record.event == "down":
                self.excuse()
                self.say(record, "down")
            return
        if record.event == "gap":
            self.excuse()
            return
        if record.event == "exists":
            self.exists(record)
        elif record.event == "ready":
            self.ready(record)
        elif record.event in LIVE:
            self.live(record)
        else:
            self.broken(record, "change", f"unknown event {record.event}")

    def excuse(self):
        self.is_excused = True
        self.snapshot = None
        self.leaves, self.joins = {}, {}

    # ---- the state

    def exists(self, record):
        words = record.words
        if self.snapshot is None:
            if not self.is_excused:
                self.broken(record, "seq", "a state that was not announced")
            self.snapshot, self.known = {}, {}
        self.note_inc(words)
        if words["state"] == "member":
            self.snapshot[words["node"]] = words["inc"]
        is_local = words.get("local") in ("yes", True)
        if is_local != (words["node"] == self.node):
            self.broken(record, "members", f"not node {self.node}'s own log")

    def note_inc(self, words):
        """Incarnations never go back; 0 or none: not known."""
        node, inc = words["node"], words.get("inc", 0)
        for incs in (self.newest, self.known):
            incs[node] = max(inc, incs.get(node, 0))

    def ready(self, record):
        words = record.words
        epoch, seq = words["cursor"].split(":")
        members = set(words["members"])
        if int(seq) != words["seq"]:
            self.broken(record, "seq", f"cursor {seq}, seq {words['seq']}")
        if epoch == self.epoch and words["seq"] < self.seq:
            self.broken(record, "seq", f"{words['seq']} after {self.seq}")
        if not self.is_excused and (epoch, words["seq"]) != (self.epoch,
                                                             self.seq):
            self.broken(record, "seq", "a state that jumps ahead")
        if self.snapshot is not None:
            if set(self.snapshot) != members:
                self.broken(record, "members", "not those that exist")
            self.missed(record, self.snapshot)
            self.inc = self.snapshot
        elif not self.is_excused and members != self.members:
            self.broken(record, "members", "others than before")
        if self.view is not None and words["view"] != self.view:
            self.ascend(record, self.view, words["view"])
            self.way = None
        self.epoch, self.seq = epoch, words["seq"]
        self.view, self.members = words["view"], members
        self.snapshot, self.is_excused = None, False
        self.say_verdict(record, None)  # whatever its place is

    def missed(self, record, snapshot):
        """Whoever is gone, or came back another, since the last state."""
        for node, inc in self.inc.items():
            if snapshot.get(node) != inc:
                self.departures.append(Departure(
                    self.node, record.place, record.ms, node, None))

    # ---- events

    def live(self, record):
        seq = record.words["seq"]
        if self.seq is not None and seq != self.seq + 1:
            self.broken(record, "seq", f"{seq} after {self.seq}")
        self.seq = seq
        if record.event == "leave":
            self.leave(record)
        elif record.event == "join":
            self.join(record)
        elif record.event == "pause":
            self.paused_ms = record.ms
        elif record.event == "view":
            self.commit(record)
        elif record.event == "quorum":
            if record.words["view"] not in (self.view, None):
                self.broken(record, "verdict", "of a view that is not now")
            self.say_verdict(record, self.way)

    def leave(self, record):
        node, inc = record.words["node"], record.words["inc"]
        if node in self.leaves:
            self.broken(record, "change", f"node {node} leaves twice")
        if self.joins:
            self.broken(record, "change", "a leave behind a join")
        if self.inc.get(node, inc) != inc:
            self.broken(record, "inc", f"{inc}, it was {self.inc[node]}")
        self.leaves[node] = (inc, record.words["reason"])
        self.departures.append(Departure(
            self.node, record.place, record.ms, node, record.words["reason"]))

    def join(self, record):
        node, inc = record.words["node"], record.words["inc"]
        was, last = record.words["was"], self.known.get(node, 0)
        if node in self.joins:
            self.broken(record, "change", f"node {node} joins twice")
        if inc < self.newest.get(node, 0):
            self.broken(record, "inc", f"{inc} after {self.newest[node]}")
        elif last and (inc == last) != (was in ("partition", "paused")):
            self.broken(record, "inc", f"was {was}: {inc} after {last}")
        elif last and was == "new":
            self.broken(record, "inc", f"new: {inc} after {last}")
        self.joins[node] = inc
        self.note_inc(record.words)

    def commit(self, record):
        words = record.words
        view, members = words["view"], set(words["members"])
        reasons = dict(item.split(":") for item in words["reasons"])
        told = {str(node): why for node, (_, why) in self.leaves.items()}
        if set(words["left"]) != set(self.leaves) or reasons != told:
            self.broken(record, "change", f"left {words['left']} {reasons}, "
                        f"told {told}")
        if set(words["joined"]) != set(self.joins):
            self.broken(record, "change", f"joined {words['joined']}, told "
                        f"{sorted(self.joins)}")
        if self.view is not None:
            if words["prev"] != self.view:
                self.broken(record, "prev", f"{words['prev']}, it was "
                            f"{self.view}")
            self.count(record, members)
            self.ascend(record, self.view, view)
        if words["coordinator"] != min(members):
            self.broken(record, "members", "the coordinator is not the lowest")
        self.way = (words["prev"], view, frozenset(members - set(self.joins)))
        self.changes.append(Change(
            self.node, record.place, record.ms, self.way, words["prev"], view,
            sorted(members), self.leaves, self.joins,
            self.paused_ms is not None and
            record.ms - self.paused_ms < SLEPT_MS))
        for node in self.leaves:
            self.inc.pop(node, None)
        self.inc.update(self.joins)
        self.leaves, self.joins = {}, {}
        self.view, self.members = view, members
        self.say_verdict(record, self.way)

    def count(self, record, members):
        left, joined = set(self.leaves), set(self.joins)
        if not left <= self.members:
            self.broken(record, "members", f"{sorted(left - self.members)} "
                        "left and were none")
        if joined & (self.members - left):
            self.broken(record, "members", f"{sorted(joined & self.members)} "
                        "joined and were members")
        if (self.members - left) | joined != members:
            self.broken(record, "members", f"{sorted(members)}: before "
                        f"{sorted(self.members)}, left {sorted(left)}, "
                        f"joined {sorted(joined)}")

    def ascend(self, record, before, now):
        if sequence(now) <= sequence(before):
            self.broken(record, "order", f"{now} after {before}")

    # ---- verdicts

    def say_verdict(self, record, way):
        words = record.words
        if "quorate" not in words:
            return
        self.verdicts.append(Verdict(
            record.place, record.ms, way, self.view, words.get("pos"),
            {key: words.get(key) for key in VERDICT}))
        self.say(record, words["quorate"])

    def say(self, record, quorate):
        self.said.append(Said(self.node, record.place, record.ms, quorate,
                              frozenset(self.members)))


# ---- all of them -----------------------------------------------------------

def check_agree(report, streams):
    seen = {}
    for stream in streams:
        for change in stream.changes:
            first = seen.setdefault(change.view, change)
            if first.members != change.members:
                report.broken(change.place, "agree", f"{change.view} has "
                              f"{change.members}, at {first.place} "
                              f"{first.members}")


def told_alike(one, other):
    """Who slept itself cannot say that another was lost: it was us."""
    if one.leaves == other.leaves:
        return True
    if not one.slept and not other.slept:
        return False

    def awake(leaves):
        return {node: (inc, "partition" if reason == "lost" else reason)
                for node, (inc, reason) in leaves.items()}
    return awake(one.leaves) == awake(other.leaves)


def check_together(report, streams):
    seen = {}
    for stream in streams:
        for change in stream.changes:
            for node in change.way[2]:
                first = seen.setdefault((*change.way[:2], node), change)
                if (first.way, first.joins) != (change.way, change.joins) \
                        or not told_alike(first, change):
                    report.broken(
                        change.place, "together",
                        f"{change.prev} to {change.view}: left "
                        f"{change.leaves} joined {change.joins}, at "
                        f"{first.place} {first.leaves} and {first.joins}")
                    break


def is_known(said):
    return said["quorate"] in ("yes", "no")


def check_verdicts(report, streams):
    """Who came the same way has the same verdict at the same place."""
    seen = {}
    for stream in streams:
        for verdict in stream.verdicts:
            if verdict.way is None or not is_known(verdict.said):
                continue
            key = (verdict.way, verdict.pos)
            first = seen.setdefault(key, verdict)
            if first.said != verdict.said:
                report.broken(verdict.place, "verdict",
                              f"{verdict.view} {verdict.pos or ''}: "
                              f"{verdict.said}, at {first.place} "
                              f"{first.said}")


def check_last_verdicts(report, streams, settle_ms):
    """All who were in a view for a while leave it with one verdict."""
    seen = {}
    for stream in streams:
        for change in stream.changes:
            mine = [verdict for verdict in stream.verdicts
                    if verdict.view == change.prev
                    and verdict.ms <= change.ms]
            if not mine or change.ms - mine[0].ms < settle_ms:
                continue
            last = mine[-1]
            if not is_known(last.said):
                continue
            first = seen.setdefault(change.way, last)
            if first.said != last.said:
                report.broken(last.place, "verdict", f"{change.prev} ends as "
                              f"{last.said}, at {first.place} {first.said}")


def spans_of_yes(stream, deeds, end_ms):
    """[(from, to, Said)]: when this node, if asked, would have said yes."""
    spans = []
    for said, after in zip(stream.said, stream.said[1:] + [None]):
        to_ms = after.ms if after else end_ms
        for deed in deeds:  # which silence it without a record
            if deed.node == stream.node and deed.kind in (
                    "stop", "kill", "restart", "pause") and \
                    said.ms <= deed.ms < to_ms:
                to_ms = deed.ms
        if said.quorate == "yes":
            spans.append((said.ms, to_ms, said))
    return spans


def check_sides(report, streams, deeds, options):
    votes, all_votes = options.votes, sum(options.votes.values())
    end_ms = max((stream.said[-1].ms for stream in streams if stream.said),
                 default=0)
    spans = []
    for stream in streams:
        mine = spans_of_yes(stream, deeds, end_ms)
        for _, _, said in mine:
            if 2 * sum(votes.get(node, 0) for node in said.members) < \
                    all_votes:
                report.broken(said.place, "sides",
                              f"yes with less than half: {set(said.members)}")
        spans.extend(mine)
    spans.sort(key=lambda span: span[:2])
    for idx, (_, to_ms, said) in enumerate(spans):
        for from_2, to_2, said_2 in spans[idx + 1:]:
            if from_2 >= to_ms - options.lease_ms:
                break
            if not said.members & said_2.members and \
                    min(to_ms, to_2) - from_2 > options.lease_ms:
                report.broken(said_2.place, "sides",
                              f"{set(said_2.members)} quorate for "
                              f"{min(to_ms, to_2) - from_2} ms beside "
                              f"{set(said.members)} of {said.place}")


# ---- what was done to them -------------------------------------------------

def check_wake(report, streams, deeds, lease_ms):
    for deed in deeds:
        if deed.kind != "resume":
            continue
        since = [other.ms for other in deeds if other.kind == "pause"
                 and other.node == deed.node and other.ms <= deed.ms]
        if not since or deed.ms - since[-1] <= lease_ms:
            continue
        mine = [said for stream in streams if stream.node == deed.node
                for said in stream.said]
        before = [said for said in mine if said.ms < since[-1]]
        after = [said for said in mine if said.ms >= since[-1]]
        if before and before[-1].quorate != "yes":
            continue  # it had nothing to take back
        if not after:
            report.broken(deed.place, "wake", "nothing was said")
        elif after[0].quorate == "yes":
            report.broken(after[0].place, "wake", "yes is what it says first")


def is_away(deeds, node, from_ms, to_ms):
    """Some of this time the node was not there to see anything."""
    away = False
    for deed in deeds:
        if deed.ms > to_ms:
            break
        if deed.node != node or deed.kind == "stall":
            continue
        if deed.ms >= from_ms:
            return True
        away = deed.kind in ("stop", "kill", "pause")
    return away


def members_at(streams, node, ms):
    """Of the view of a node, as it was told until then."""
    members = frozenset()
    for stream in streams:
        if stream.node == node:
            for said in stream.said:
                if said.ms <= ms:
                    members = said.members
    return members


def check_causes(report, streams, deeds, bound_ms):
    """Every departure has a cause, and a reason that becomes it."""
    for stream in streams:
        for gone in stream.departures:
            causes = [deed for deed in deeds
                      if deed.ms <= gone.ms <= deed.ms + bound_ms
                      and deed.parts(gone.observer, gone.node)]
            if not causes:
                report.broken(gone.place, "why",
                              f"node {gone.node} departed without a cause")
                continue
            allowed = set()
            for deed in causes:
                allowed |= deed.reasons(gone.observer)
            if gone.reason is not None and gone.reason not in allowed:
                report.broken(gone.place, "why",
                              f"node {gone.node} {gone.reason}, after "
                              + ", ".join(map(str, causes)))


def departed(streams, observer, node, deed, bound_ms):
    return [gone for stream in streams if stream.node == observer
            for gone in stream.departures if gone.node == node
            and deed.ms <= gone.ms <= deed.ms + bound_ms]


def check_effects(report, streams, deeds, options):
    """Every deed is told, once, by everybody who saw it."""
    nodes = sorted({stream.node for stream in streams})
    for deed in deeds:
        if deed.kind not in Deed.REASONS:
            continue
        end_ms = deed.ms + options.bound_ms
        if deed.kind == "pause" and any(
                other.kind == "resume" and other.node == deed.node
                and 0 < other.ms - deed.ms < options.detect_ms
                for other in deeds):
            continue  # too short to be noticed
        pairs = 0
        for observer in nodes:
            before = members_at(streams, observer, deed.ms)
            if is_away(deeds, observer, deed.ms, end_ms):
                continue
            for node in before - {observer}:
                if deed.node not in (None, node) or \
                        not deed.parts(observer, node):
                    continue
                told = departed(streams, observer, node, deed,
                                options.bound_ms)
                pairs += len(told)
                if not told and deed.kind != "oneway":
                    report.broken(deed.place, "why", f"{deed}: node "
                                  f"{observer} has not told that {node} "
                                  "departed")
                if len(told) > 1 and deed.node is not None and not any(
                        other is not deed and deed.ms <= other.ms <= end_ms
                        and other.kind != "start" for other in deeds):
                    report.broken(told[1].place, "why", f"{deed}: told twice")
        if deed.kind == "oneway" and pairs == 0:
            report.broken(deed.place, "why", f"{deed}: nobody departed")


# ---- arguments -------------------------------------------------------------

def parse_logs(texts):
    logs = []
    for text in texts:
        node, equal, path = text.partition("=")
        if not equal or not node.isdigit():
            raise Bad(USAGE, f"{text}: expected NODE=FILE")
        logs.append((int(node), path))
    return logs


def parse_votes(text):
    try:
        return {int(node): int(votes) for node, votes in
                (item.split(":") for item in text.split(","))}
    except ValueError as error:
        raise argparse.ArgumentTypeError("expected NODE:VOTES,…") from error


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Bad(USAGE, message)


def parser():
    own = Parser(prog="viewcheck", description=__doc__,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("logs", nargs="+", metavar="NODE=FILE",
                     help="a log of this node; a node may have several")
    own.add_argument("--votes", type=parse_votes, metavar="NODE:VOTES,…",
                     help="of all nodes: look for two quorate sides")
    own.add_argument("--lease-ms", type=int, default=1000, metavar="MS",
                     help="how long a verdict outlives what it says (1000)")
    own.add_argument("--deeds", metavar="FILE",
                     help="what was done to the nodes, a line each: UNIX_MS "
                     "stop|kill|restart|start|pause|resume NODE, or stall "
                     "NODE, which excuses whom the ring loses by it; or UNIX_MS "
                     "cut 1,2|3 or oneway 1>2, or UNIX_MS heal")
    own.add_argument("--bound-ms", type=int, default=5000, metavar="MS",
                     help="until when a deed must have been told (5000)")
    own.add_argument("--detect-ms", type=int, default=300, metavar="MS",
                     help="a shorter pause may go unnoticed (300)")
    own.add_argument("--settle-ms", type=int, default=1000, metavar="MS",
                     help="after which a view has one verdict (1000)")
    return own


def judge(report, streams, deeds, options):
    check_agree(report, streams)
    check_together(report, streams)
    check_verdicts(report, streams)
    check_last_verdicts(report, streams, options.settle_ms)
    if options.votes:
        check_sides(report, streams, deeds, options)
    if deeds:
        check_wake(report, streams, deeds, options.lease_ms)
        check_causes(report, streams, deeds, options.bound_ms)
        check_effects(report, streams, deeds, options)


def run(argv):
    options = parser().parse_args(argv)
    report, streams = Report(), []
    deeds = read_deeds(options.deeds) if options.deeds else []
    for node, path in parse_logs(options.logs):
        stream = Stream(report, node)
        for record in read_log(node, path):
            try:
                stream.take(record)
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise Bad(BAD_DATA,
                          f"{record.place}: no record: {error!r}") from error
        streams.append(stream)
    judge(report, streams, deeds, options)
    if report.said:
        return BROKEN
    print(f"viewcheck: ok {len(streams)} logs "
          f"{sum(len(stream.changes) for stream in streams)} changes "
          f"{sum(len(stream.departures) for stream in streams)} departures "
          f"{sum(len(stream.verdicts) for stream in streams)} verdicts")
    return OK


def main():
    try:
        return run(sys.argv[1:])
    except Bad as bad:
        code, text = bad.args
        print(f"viewcheck: {text}", file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main())
