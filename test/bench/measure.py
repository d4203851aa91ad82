"""Measures shapes, all ways of one in turn, many times over.

A block is a transaction: role, tenant, then n executions of a prepared
statement, of which the backend's processor time is taken.  In each pass all
ways have a block, in random order, for the same tenant and the same rows; a
ratio is one way's block ÷ the hand-written one's of the same pass.  What is
reported is the median of the ratios and their quartiles.  So a machine that
others use as well makes the spread wider, but favours nobody.
"""
import random
import statistics
import sys

from postgres import Connection
from shapes import HAND

BLOCK_NS = 3_000_000        # what a block by hand is to last
BLOCK_MAX = 400             # executions at most
SLOW_NS = 4_000_000_000     # a way that has used so much is measured no more,
SLOW_SAMPLES = 3            # once it has been this often
CONNECTIONS = 4             # memory lies differently in each


def say(text):
    print(text, file=sys.stderr, flush=True)


def quartiles(values):
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method='inclusive')
    return low, middle, high


class Measured:
    """One way of one shape."""

    def __init__(self, way):
        self.way = way
        self.samples = []       # (pass, nanoseconds per execution)
        self.n = 1
        self.used = 0

    def slow(self):
        return self.used > SLOW_NS and len(self.samples) >= SLOW_SAMPLES

    def cost(self):
        """Microseconds of an execution."""
        return statistics.median(ns for _, ns in self.samples) / 1000

    def ratios_to(self, other):
        base = dict(other.samples)
        return [ns / base[p] for p, ns in self.samples if p in base]


class Bench:
    def __init__(self, connect, tenants, seed=42):
        self.connect = connect
        self.random = random.Random(seed)
        self.tenants = tenants
        self.operator = connect()
        self.ids = {}
        self.parameters = {}

    def filled(self, text, n):
        if n not in self.ids:
            self.ids[n] = self.operator.value(f'SELECT bench.tenant({n})')
        return text.replace('{tenant}', self.ids[n]).replace('{n}', str(n))

    def parameter_sets(self, way, n):
        if not way.values:
            return [Connection.parameters(())]
        query = self.filled(way.values, n)
        if query not in self.parameters:
            self.parameters[query] = [Connection.parameters(row) for row in self.operator.rows(query)]
        return self.parameters[query]

    def begin(self, conn, way, n):
        conn.run('BEGIN')
        if way.bind:
            conn.run(self.filled(way.bind, n))
        conn.run(f'SET LOCAL ROLE {way.role}')

    def block(self, conn, one, name, n, times):
        sets = self.parameter_sets(one.way, n)
        self.begin(conn, one.way, n)
        spent = conn.spent([(name, sets)], times)
        conn.run('ROLLBACK')
        return spent

    def opened(self, measured):
        """A connection in which all ways are prepared, planned and warm."""
        conn = self.connect()
        for i, one in enumerate(measured):
            if one.slow():
                continue
            name = f's{i}'
            self.begin(conn, one.way, 1)
            conn.prepare(name, one.way.sql)
            conn.run('COMMIT')
            first = self.block(conn, one, name, 1, 1)
            if first < BLOCK_NS:
                self.block(conn, one, name, 1, 20)
        return conn

    def set_block_sizes(self, conn, measured):
        by_hand = min(self.block(conn, measured[0], 's0', 1, 10) for _ in range(3)) / 10
        wanted = max(1, min(BLOCK_MAX, round(BLOCK_NS / by_hand)))
        for i, one in enumerate(measured):
            cost = self.block(conn, one, f's{i}', 1, 1)
            one.n = max(1, min(wanted, round(10 * BLOCK_NS / cost)))

    def measure(self, shape, passes, cleaning=''):
        measured = [Measured(way) for way in shape.ways]
        assert measured[0].way.name == HAND
        order = list(range(len(measured)))
        sizes_known = False
        for part in range(CONNECTIONS):
            conn = self.opened(measured)
            if not sizes_known:
                self.set_block_sizes(conn, measured)
                sizes_known = True
            for p in range(part * passes // CONNECTIONS, (part + 1) * passes // CONNECTIONS):
                n = self.random.choice(self.tenants)
                self.random.shuffle(order)
                for i in order:
                    one = measured[i]
                    if not one.slow():
                        spent = self.block(conn, one, f's{i}', n, one.n)
                        one.used += spent
                        one.samples.append((p, spent / one.n))
            conn.close()
            if cleaning:
                self.operator.run(cleaning)
        say(f'  {shape.name}')
        return measured
