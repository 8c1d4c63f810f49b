#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""compare.py SIMULATE [--seconds N] [--seed N] [--all]

Lets the production core (SIMULATE reads a script as `quorumd --simulate` does)
and rules.py answer the same stories and compares every verdict; and sees that
never two sides of one moment have quorum.

Every sequence of three partitions of up to four nodes and of two of five,
under every legal combination of rules, from nodes that have just come up and
from a whole cluster; and random stories of ten events for up to seven nodes.
--all goes through all of it; else it is drawn from for --seconds (15).
"""
import argparse
import itertools
import random
import subprocess
import sys
import time

from rules import Rules, World

BATCH = 400


def partitions(nodes):
    """Every way to cut a list of nodes into sides."""
    if not nodes:
        yield []
        return
    first, rest = nodes[0], nodes[1:]
    for sub in partitions(rest):
        yield [[first]] + sub
        for i, side in enumerate(sub):
            yield sub[:i] + [[first] + side] + sub[i + 1:]


def rule_sets(count):
    """Every legal combination, and a few weights of votes."""
    nodes = range(1, count + 1)
    weights = [{n: 1 for n in nodes}]
    if count in (3, 4):
        weights.append({n: 2 if n == 1 else 1 for n in nodes})
    ties = [None, 'lowest', 'highest', [count, 1]]
    devices = [0, 1, count - 1] if count > 1 else [0]
    for votes, wait, lms, tie, down, two, device, master in itertools.product(
            weights, ('no', 'yes', 'always'), (False, True), ties,
            (False, True), (False, True), devices, (False, True)):
        if master and not device:
            continue
        options = dict(wait_for_all=wait, last_man_standing=lms,
                       auto_tie_breaker=tie, allow_downscale=down,
                       two_node=two, device_votes=device, master_wins=master)
        if Rules(votes, **options).is_legal():
            yield votes, options


def yes(value):
    return 'yes' if value else 'no'


def script_of(votes, options, events):
    lines = ['reset']
    lines += [f'node n{n} id={n} votes={v}' for n, v in votes.items()]
    words = [f'wait_for_all={options["wait_for_all"]}',
             f'two_node={yes(options["two_node"])}',
             f'last_man_standing={yes(options["last_man_standing"])}',
             f'allow_downscale={yes(options["allow_downscale"])}',
             f'expected_votes_tracking={yes(options.get("tracking"))}']
    if options.get('expected'):
        words.append(f'expected_votes={options["expected"]}')
    tie = options['auto_tie_breaker']
    if tie:
        words.append('auto_tie_breaker_node=' + (
            tie if isinstance(tie, str) else ','.join(map(str, tie))))
    if options['device_votes']:
        words.append(f'device=yes device_votes={options["device_votes"]}'
                     f' device_master_wins={yes(options["master_wins"])}')
    lines.append('option ' + ' '.join(words))
    return lines + [text_of(event) for event in events]


def text_of(event):
    kind, *args = event
    if kind == 'cut':
        return '|'.join('{' + ','.join(map(str, s)) + '}' for s in args[0])
    if kind in ('start', 'crash', 'leave', 'respawn'):
        return f'{kind} ' + ','.join(map(str, args[0]))
    if kind == 'wait':
        return f'wait {args[0]}s'
    if kind == 'expected':
        return f'set expected={args[1]} at={args[0]} force={yes(args[2])}'
    if kind == 'votes':
        return (f'set node={args[1]} votes={args[2]} at={args[0]} '
                f'force={yes(args[3])}')
    if kind == 'vote':
        return f'vote at={args[0]} cast={yes(args[1])} ttl=1h'
    return f'cancel-wait at={args[0]}'


def play(world, event):
    """One event in the statement; a request answers a word."""
    kind, *args = event
    if kind == 'expected':
        return world.set_expected(*args)
    if kind == 'votes':
        return world.set_votes(*args)
    if kind == 'cancel':
        return world.cancel_wait(*args)
    if kind == 'vote':
        return world.vote(*args)
    getattr(world, kind)(*args)
    return None


def expect(votes, options, events):
    """The lines that the core should print, cut to what is compared."""
    world = World(Rules(votes, **options))
    for event in events:
        answer = play(world, event)
        if answer is not None:
            yield f'answer code={answer}'
        for side, quorate, total, needed, expected, basis in world.answers():
            yield (f'verdict side={",".join(map(str, sorted(side)))} '
                   f'quorate={yes(quorate)} votes={total} needed={needed} '
                   f'expected={expected} basis={basis}')


def heard(line):
    """What is compared of a line that the core printed."""
    words = line.split(' ')
    if words[0] == 'answer':
        return f'answer {words[2]}'
    return ' '.join([words[0], words[2]] + words[4:9])


def is_safe(options, events):
    """May two sides never have quorum in this story?"""
    kinds = {event[0] for event in events}
    if options['two_node'] or 'cancel' in kinds:
        return False
    if any(e[0] in ('expected', 'votes') and e[-1] for e in events):
        return False  # an operator's word
    if 'vote' in kinds:
        return False  # the arbiter's care
    lowered = any(e[0] == 'expected' for e in events)
    shrinks = (options['last_man_standing'] or options['allow_downscale']
               or lowered)
    restarts = 'start' in [e[0] for e in events[1:]]
    return not (shrinks and restarts)


class Judge:
    def __init__(self, simulate):
        self.simulate = simulate
        self.batch = []
        self.stories = 0
        self.verdicts = 0
        self.bad = 0

    def add(self, votes, options, events):
        self.batch.append((votes, options, events))
        if len(self.batch) >= BATCH:
            self.flush()

    def flush(self):
        text, ends, at = [], [], 0
        for story in self.batch:
            lines = script_of(*story)
            at += len(lines)
            ends.append(at)
            text += lines
        done = subprocess.run([self.simulate], input='\n'.join(text) + '\n',
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.fail(f'ended with {done.returncode}: {done.stderr}')
        lines = done.stdout.splitlines()
        at = 0
        for story, end in zip(self.batch, ends):
            first = at
            while at < len(lines) and line_of(lines[at]) <= end:
                at += 1
            self.judge(story, lines[first:at])
        self.batch = []

    def judge(self, story, lines):
        self.stories += 1
        self.verdicts += len(lines)
        got = [heard(line) for line in lines]
        want = list(expect(*story))
        if got != want:
            self.fail(explain(story, got, want))
        if is_safe(*story[1:]):
            sides = {}
            for line in lines:
                if ' quorate=yes ' in line:
                    sides.setdefault(line_of(line), []).append(line)
            if any(len(both) > 1 for both in sides.values()):
                self.fail('two sides: ' + explain(story, got, want))

    def fail(self, text):
        self.bad += 1
        if self.bad <= 5:
            print(text)


def line_of(line):
    return int(line.split(' ', 2)[1][5:])


def explain(story, got, want):
    lines = ['the core and the rules differ in', *script_of(*story)]
    for i, (a, b) in enumerate(itertools.zip_longest(got, want)):
        lines.append(f'{"  " if a == b else "! "}{a}')
        if a != b:
            lines.append(f'? {b}')
            break
    return '\n'.join(lines)


def sequence(count, cuts, lms, is_whole):
    nodes = list(range(1, count + 1))
    events = [('start', nodes)]
    if is_whole:
        events.append(('cut', [nodes]))
    for sides in cuts:
        events.append(('cut', sides))
        if lms:
            events.append(('wait', 12))
    return events


def every(count, length):
    """All sequences of partitions under all rules."""
    cuts = list(partitions(list(range(1, count + 1))))
    for votes, options in rule_sets(count):
        waits = (False, True) if options['last_man_standing'] else (False,)
        for whole, lms in itertools.product((False, True), waits):
            for chosen in itertools.product(cuts, repeat=length):
                yield votes, options, sequence(count, chosen, lms, whole)


def random_cut(rng, nodes):
    sides = {}
    for n in nodes:
        sides.setdefault(rng.randrange(rng.choice((1, 2, 2, 3, 4))),
                         []).append(n)
    return list(sides.values())


def random_event(rng, votes, options):
    nodes = list(votes)
    some = [rng.choice(nodes)]
    at = rng.choice(nodes)
    kind = rng.choices(
        ('cut', 'wait', 'crash', 'start', 'leave', 'respawn', 'expected',
         'votes', 'cancel', 'vote'),
        (10, 4, 1, 2, 1, 1, .4, .4, .2, 3 if options['device_votes'] else 0)
    )[0]
    if kind == 'cut':
        return kind, random_cut(rng, nodes)
    if kind == 'wait':
        return kind, rng.choice((3, 12))
    if kind in ('crash', 'start', 'leave'):
        return kind, some if kind != 'start' else nodes
    if kind == 'respawn':
        return kind, some
    if kind == 'expected':
        return kind, at, rng.randrange(1, len(nodes) + 3), rng.random() < .3
    if kind == 'votes':
        return kind, at, rng.choice(nodes), rng.choice((0, 1, 2, 3, 300)), \
            rng.random() < .3
    if kind == 'vote':
        return kind, at, rng.random() < .8
    return kind, at


def random_story(rng, count, is_plain):
    while True:
        votes = {n: 1 for n in range(1, count + 1)}
        if rng.random() < .2:
            votes = {n: rng.choice((0, 1, 2, 300)) for n in votes}
        options = dict(
            wait_for_all=rng.choice(('no', 'yes', 'always')),
            last_man_standing=rng.random() < .4,
            auto_tie_breaker=rng.choice(
                (None, 'lowest', 'highest', rng.sample(list(votes), 2))),
            allow_downscale=rng.random() < .3, two_node=False,
            tracking=rng.random() < .3,
            device_votes=rng.choice((0, 0, 1, count - 1)),
            master_wins=rng.random() < .3,
            expected=rng.choice((0, 0, 0, sum(votes.values()) + count + 1)))
        if not options['device_votes']:
            options['master_wins'] = False
        if sum(votes.values()) > 0 and Rules(votes, **options).is_legal():
            break
    nodes = list(votes)
    events = [('start', nodes)]
    if rng.random() < .7:
        events.append(('cut', [nodes]))
    for _ in range(10):
        events.append(('cut', random_cut(rng, nodes)) if is_plain
                      else random_event(rng, votes, options))
        if is_plain and options['last_man_standing'] and rng.random() < .5:
            events.append(('wait', rng.choice((3, 12))))
    return votes, options, events


def drawn(rng):
    """Without end: a sample of it all."""
    pools = {}
    for count in range(1, 6):
        cuts = list(partitions(list(range(1, count + 1))))
        pools[count] = (cuts, list(rule_sets(count)))
    while True:
        count = rng.choice((2, 3, 4, 4, 5, 5, 6, 7, 6, 7))
        if count > 5 or rng.random() < .3:
            yield random_story(rng, count, rng.random() < .4)
            continue
        cuts, rules = pools[count]
        votes, options = rng.choice(rules)
        chosen = [rng.choice(cuts) for _ in range(3 if count < 5 else 2)]
        yield votes, options, sequence(
            count, chosen, options['last_man_standing'] and rng.random() < .5,
            rng.random() < .7)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('simulate')
    parser.add_argument('--seconds', type=float, default=15)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--random', type=int, default=200000)
    args = parser.parse_args()
    judge = Judge(args.simulate)
    end = time.monotonic() + args.seconds
    rng = random.Random(args.seed)
    if args.all:
        for count in range(1, 6):
            for story in every(count, 3 if count < 5 else 2):
                judge.add(*story)
            judge.flush()
            print(f'{count} nodes: {judge.stories} stories, '
                  f'{judge.bad} failed', flush=True)
        for _ in range(args.random):
            judge.add(*random_story(rng, rng.choice((3, 5, 6, 7)),
                                    rng.random() < .4))
    else:
        for story in drawn(rng):
            judge.add(*story)
            if time.monotonic() > end or judge.bad > 5:
                break
    judge.flush()
    print(f'{judge.stories} stories, {judge.verdicts} verdicts')
    print(f'{judge.stories - judge.bad} passed, {judge.bad} failed')
    return 0 if judge.bad == 0 and judge.stories > 0 else 1


if __name__ == '__main__':
    sys.exit(main())
