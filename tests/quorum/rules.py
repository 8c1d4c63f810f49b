# SPDX-License-Identifier: BSD-3-Clause
"""The rules of quorum, stated a second time.

A world of nodes in which everything that can be said has been said: what a
side answers is a matter of sets and sums.  It is written from the formula and
the option table of Corosync's votequorum and from the toolkit's own rulings
(the newest memory of a side wins; votes are u32; whoever wakes waits only from
its start on), not from the C that it judges.
"""


class Rules:
    """One cluster's configuration; times in seconds."""

    def __init__(self, votes, **options):
        self.votes = dict(votes)  # node -> votes
        self.nodes = frozenset(votes)
        self.two_node = options.get('two_node', False)
        self.wait = options.get('wait_for_all', 'no')
        self.lms = options.get('last_man_standing', False)
        self.window = options.get('window', 10)
        self.tie = options.get('auto_tie_breaker')  # None, 'lowest', ... list
        self.downscale = options.get('allow_downscale', False)
        self.tracking = options.get('tracking', False) or self.downscale
        self.device = options.get('device_votes', 0)
        self.master_wins = options.get('master_wins', False)
        self.sum = sum(votes.values()) + self.device
        self.expected = max(options.get('expected', 0), self.sum)

    def is_legal(self):
        odd = self.expected % 2 == 1
        plain = all(v == 1 for v in self.votes.values())
        return not (
            (self.two_node and (self.expected != 2 or self.device or self.tie))
            or (self.lms and (self.device or not plain))
            or (self.tie and (self.device or
                              (odd and self.wait != 'always')))
            or (self.device and self.expected - self.device < 2))

    def moves_the_electorate(self):
        """A minority of the configured votes may one day have quorum."""
        return bool(self.lms or self.downscale or self.tie)


class Agreement:
    """Who votes; never changed once made."""

    def __init__(self, stamp, expected, votes, quorate, cause):
        self.stamp = stamp  # (view, place); zeroes: from the configuration
        self.expected = expected
        self.votes = votes  # voter -> votes
        self.quorate = quorate  # the last quorate membership, or None
        self.cause = cause

    def same(self, other):
        return (self.expected == other.expected and self.votes == other.votes
                and self.quorate == other.quorate)


class Node:
    def __init__(self, rules, node, tracked):
        self.votes = rules.votes[node]
        self.waiting = rules.wait != 'no'
        self.fresh = True
        self.remembered = tracked
        self.known = Agreement((0, 0, 0), max(rules.expected, tracked),
                               dict(rules.votes), None, 'start')
        self.side = frozenset([node])
        self.view = (0, 0)  # sequence, representative
        self.quorate = False
        self.timer = None
        self.loss = False
        self.due = False


class World:
    def __init__(self, rules):
        self.rules = rules
        self.now = 0
        self.stamps = 0
        self.sequence = dict.fromkeys(rules.nodes, 0)  # outlives restarts
        self.up = {}  # node -> Node
        self.tracked = dict.fromkeys(rules.nodes, 0)
        self.said_yes = {}  # side -> set of nodes at which the device said yes

    # ---- the formula ------------------------------------------------------

    def count(self, side, a):
        """Votes here: never more than were agreed on."""
        total = sum(min(a.votes.get(n, 0), self.up[n].votes) for n in side)
        return total + (self.rules.device if self.has_device(side) else 0)

    def has_device(self, side):
        return any(n in self.said_yes for n in self.whole(side))

    def whole(self, side):
        return self.up[min(side)].side if side else side

    def needed(self, side, a):
        if (self.rules.two_node and a.expected == 2
                and len(self.whole(side)) <= 2):
            return 1
        return a.expected // 2 + 1

    def others(self, side, a):
        """What those elsewhere could bring together, at most."""
        away = set(a.votes) - side
        if self.rules.wait == 'always':  # outsiders lost quorum, so they wait
            away &= a.quorate or set()
        return sum(a.votes[n] for n in away)

    def wins_tie(self, side, a):
        total = self.count(side, a)
        if not self.rules.tie or a.quorate is None or total == 0:
            return False
        if total != a.expected // 2:
            return False
        if any(self.up[n].fresh for n in side if a.votes.get(n, 0)):
            return False
        if self.others(side, a) >= self.needed(side, a):
            return False
        if self.rules.tie == 'lowest':
            return min(a.quorate) in side
        if self.rules.tie == 'highest':
            return max(a.quorate) in side
        for n in self.rules.tie:
            if n in a.quorate:
                return n in side
        return False

    def device_decides(self, side, a):
        away = sum(v for n, v in a.votes.items() if n not in side)
        return (self.rules.master_wins and self.has_device(side)
                and away < self.needed(side, a))

    def is_beyond_device(self, side, a):
        """Those elsewhere are too few, even if the device were theirs."""
        away = sum(v for n, v in a.votes.items() if n not in side)
        here = sum(v for n, v in a.votes.items() if n in side)
        return (not self.rules.device
                or set(a.votes) | set(self.rules.nodes) <= set(side)
                or (away + self.rules.device < self.needed(side, a)
                    and (not self.rules.master_wins
                         or here >= self.needed(side, a))))

    def enough(self, side, a):
        return bool(side) and (
            self.count(side, a) >= self.needed(side, a)
            or self.device_decides(side, a) or self.wins_tie(side, a))

    def is_all_here(self, side, a):
        """All votes, or all who vote, some with fewer than were agreed on."""
        device = self.rules.device if self.has_device(side) else 0
        return (self.count(side, a) == a.expected
                or (set(a.votes) <= set(side)
                    and sum(a.votes.values()) + device == a.expected))

    def must_wait(self, side, a):
        if self.rules.wait == 'no':
            return False
        awake = frozenset(n for n in side if not self.up[n].waiting)
        more = any(self.up[n].waiting and self.up[n].remembered > a.expected
                   for n in side)
        if awake:
            if not self.rules.moves_the_electorate() and not more:
                return False
            if self.enough(awake, a):
                return False
        return not self.is_all_here(side, a)

    def verdict(self, side):
        """(quorate, votes, needed, expected, basis) of nodes that agree."""
        a = self.newest(side)
        total, needed = self.count(side, a), self.needed(side, a)
        yes = self.enough(side, a) and not self.must_wait(side, a)
        basis = 'none'
        if yes:
            alone = total - (self.rules.device if self.has_device(side) else 0)
            if total < needed:
                basis = 'device' if self.device_decides(side, a) else 'tie'
            elif total < a.expected // 2 + 1:
                basis = 'two-node'
            elif alone < needed:
                basis = 'device'
            elif total >= self.rules.expected // 2 + 1 or a.cause == 'start':
                basis = 'majority'
            else:
                basis = a.cause
        return yes, total, needed, a.expected, basis

    # ---- memory -----------------------------------------------------------

    def newest(self, side):
        best = max((self.up[n].known for n in side), key=lambda a: a.stamp)
        if best.stamp == (0, 0, 0):
            best = max((self.up[n].known for n in side),
                       key=lambda a: a.expected)
        return best

    def agree(self, side, a, cause, yes=True):
        self.stamps += 1
        a.stamp = (*self.up[min(side)].view, self.stamps)
        a.cause = 'start' if a.expected >= self.rules.expected else cause
        for n in side:
            self.up[n].known = a
            if yes:  # whoever takes part waits no longer
                self.up[n].fresh = self.up[n].waiting = False

    def grown(self, side):
        """Whoever is here votes, with as much as it has; unless the device
        would be enough for those elsewhere, who do not hear of it."""
        old = self.newest(side)
        votes = dict(old.votes)
        if self.is_beyond_device(side, old):
            for n in side:
                votes[n] = max(votes.get(n, 0), self.up[n].votes)
        expected = max(old.expected, sum(votes.values()) + self.rules.device)
        return Agreement(None, expected, votes, self.reference(side, old),
                         old.cause)

    def present(self, side, a):
        """The voters of a that are here, with no more than they have."""
        return {n: min(a.votes[n], self.up[n].votes)
                for n in side if n in a.votes}

    def reference(self, side, old):
        return frozenset(side) if self.rules.tie else old.quorate

    # ---- what follows from a new membership -------------------------------

    def settle(self, side, gone=frozenset()):
        """All of a side have heard all others; then what quorum entails."""
        side = frozenset(side)
        if not side:
            return
        known = self.newest(side)
        for n in side:
            self.up[n].known = known
        yes = self.verdict(side)[0]
        for n in side:
            node = self.up[n]
            if yes:
                if node.loss:
                    node.timer = self.now + self.rules.window
                    node.loss = False
            elif node.quorate and self.rules.wait == 'always':
                node.waiting = True
            node.quorate = yes
        if yes:
            self.improve(side, gone)
        for n in side:
            if self.rules.tracking:
                self.tracked[n] = max(self.tracked[n],
                                      self.up[n].known.expected)

    def improve(self, side, gone):
        old = self.newest(side)
        new = self.grown(side)
        cause = old.cause
        if self.rules.downscale and gone & set(new.votes):
            for n in gone & set(new.votes):
                new.expected -= new.votes.pop(n)
            cause = 'downscale'
        due = any(self.up[n].due for n in side)
        here = sum(min(new.votes.get(n, 0), self.up[n].votes) for n in side)
        if due and here < new.expected:
            new.votes = self.present(side, new)
            new.expected = sum(new.votes.values())
            cause = 'lms'
        for n in side:
            self.up[n].due = False
        newcomers = any(self.up[n].waiting for n in side) or (
            self.rules.tie and any(self.up[n].fresh for n in side))
        if new.expected > 0 and (newcomers or not new.same(old)):
            self.agree(side, new, cause)

    # ---- events -----------------------------------------------------------

    def form(self, side, left=frozenset()):
        """A new view.  First each part of it that stayed together counts
        itself; then they hear each other."""
        side = frozenset(side)
        parts = {}
        for n in side:
            parts.setdefault(self.up[n].side, set()).add(n)
        for n in side:
            self.said_yes.pop(n, None)
        for before, part in parts.items():
            for n in part:
                node = self.up[n]
                node.loss = self.rules.lms and bool(before - side)
                node.side = frozenset(part)
            yes = self.verdict(frozenset(part))[0]
            for n in part:
                node = self.up[n]
                if not yes and node.quorate and self.rules.wait == 'always':
                    node.waiting = True
                node.quorate = yes
        self.name_view(side)
        self.settle(side, frozenset(left) - side)

    def name_view(self, side):
        seq = max(self.sequence[n] for n in side) + 1
        for n in side:
            self.sequence[n] = seq
            self.up[n].view = (seq, min(side))
            self.up[n].side = side

    def start(self, nodes):
        for n in sorted(nodes):
            if n not in self.up:
                tracked = self.tracked[n] if self.rules.tracking else 0
                self.up[n] = Node(self.rules, n, tracked)
                self.name_view(frozenset([n]))
                self.settle([n])

    def crash(self, nodes):
        for n in sorted(nodes):
            if n in self.up:
                self.remove(n, frozenset())

    def remove(self, n, left):
        rest = self.up[n].side - {n}
        self.said_yes.pop(n, None)
        del self.up[n]
        if rest:
            self.form(rest, left)

    def leave(self, nodes):
        for n in sorted(nodes):
            if n not in self.up:
                continue
            side = self.up[n].side
            rest = side - {n}
            new = self.newest(side)
            if (self.rules.downscale and rest and self.verdict(side)[0]
                    and n in new.votes):
                votes = dict(new.votes)
                new = Agreement(None, new.expected - votes.pop(n), votes,
                                new.quorate, None)
                if new.expected > 0 and self.enough(rest, new):
                    new.quorate = self.reference(rest, new)
                    self.agree(side, new, 'downscale')
            self.remove(n, frozenset([n]))

    def respawn(self, nodes):
        """quorumd ends and comes back: meanwhile its votes are missed."""
        for n in sorted(nodes):
            if n not in self.up:
                continue
            node = self.up[n]
            rest = node.side - {n}
            self.said_yes.pop(n, None)
            node.timer, node.loss, node.quorate = None, False, False
            node.waiting |= self.rules.wait == 'always'
            yes = bool(rest) and self.verdict(rest)[0]
            for m in rest:
                if (self.up[m].quorate and not yes
                        and self.rules.wait == 'always'):
                    self.up[m].waiting = True
                self.up[m].quorate = yes
            self.settle(node.side)

    def cut(self, sides):
        rest = set(self.up)
        for side in sides:
            side = frozenset(side) & rest
            rest -= side
            if side and any(self.up[n].side != side for n in side):
                self.form(side)
        for n in sorted(rest):
            if self.up[n].side != frozenset([n]):
                self.form([n])

    def wait(self, seconds):
        end = self.now + seconds
        while True:
            running = [x.timer for x in self.up.values()
                       if x.timer is not None and x.timer <= end]
            if not running:
                break
            self.now = min(running)
            sides = set()
            for n, node in self.up.items():
                if node.timer == self.now:
                    node.timer = None
                    yes, votes, _, expected, _ = self.verdict(node.side)
                    node.due = yes and votes < expected
                    if node.due:
                        sides.add(node.side)
            for side in sides:
                self.improve(side, frozenset())
                self.settle(side)
        self.now = end

    # ---- an operator ------------------------------------------------------

    def cancel_wait(self, at):
        if at not in self.up:
            return 'again'
        side = self.up[at].side
        for n in side:
            self.up[n].waiting = False
        self.settle(side)
        return 'ok'

    def keeps(self, side, new):
        """Would this side be enough, had its nodes the votes of new?"""
        old = self.newest(side)
        had = {n: self.up[n].votes for n in side}
        for n in side & set(old.votes) & set(new.votes):
            if old.votes[n] != new.votes[n]:
                self.up[n].votes = new.votes[n]
        yes = self.enough(side, new)
        for n in side:
            self.up[n].votes = had[n]
        return yes

    def put(self, side, new, force):
        yes = self.verdict(side)[0]
        if not force and (not yes or not self.keeps(side, new)):
            return 'quorum'
        old = self.newest(side)
        if not yes:
            new.quorate = old.quorate
        self.agree(side, new, 'forced', yes)
        for n in side & set(old.votes) & set(new.votes):
            if old.votes[n] != new.votes[n]:
                self.up[n].votes = new.votes[n]
        self.settle(side)
        return 'ok'

    def set_expected(self, at, expected, force=False):
        if at not in self.up:
            return 'again'
        side = self.up[at].side
        new = self.grown(side)
        here = sum(min(new.votes.get(n, 0), self.up[n].votes) for n in side)
        if expected == 0 or expected < here + self.rules.device:
            return 'bad'
        if expected < new.expected and self.rules.device and not force:
            return 'quorum'
        if expected < sum(new.votes.values()) + self.rules.device:
            new.votes = self.present(side, new)
        new.expected = expected
        return self.put(side, new, force)

    def set_votes(self, at, node, votes, force=False):
        if at not in self.up:
            return 'again'
        side = self.up[at].side
        new = self.grown(side)
        if node not in new.votes:
            return 'bad'
        before = new.votes[node]
        total = sum(new.votes.values()) - before + votes
        if total == 0 or total + self.rules.device > 2**32 - 1:
            return 'bad'
        if votes < before and not force:
            return 'quorum'
        if (votes > before and not force
                and not self.is_beyond_device(side, self.newest(side))):
            return 'quorum'
        new.votes[node] = votes
        if votes < before:
            new.expected -= before - votes
        else:
            new.expected = max(new.expected, total + self.rules.device)
        return self.put(side, new, force)

    def vote(self, at, yes):
        if not self.rules.device:
            return 'bad'
        if at not in self.up:
            return 'again'
        if yes:
            self.said_yes[at] = True
        else:
            self.said_yes.pop(at, None)
        self.settle(self.up[at].side)
        return 'ok'

    # ---- what can be seen -------------------------------------------------

    def sides(self):
        return sorted({x.side for x in self.up.values()}, key=min)

    def answers(self):
        return [(side, *self.verdict(side)) for side in self.sides()]
