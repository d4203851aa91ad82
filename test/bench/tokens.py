"""What tokens cost: statements of one call each, less the same without it.

A token that is called new is one of 5000 in turn, more than a backend
remembers; one that is known comes again and again.  authenticate is measured
as a transaction of its own, with all that is done at its end.  To verify is
what a new token costs authenticate more than a known one: signature, claims.
"""
import statistics
from dataclasses import dataclass

from measure import quartiles, say

COUNT = 5000
CALLS = 300     # of a block
SECRET = r'\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'


@dataclass
class Call:
    name: str
    sql: str            # of a token, or of claims
    without: str
    kind: str           # of the tokens
    different: int = COUNT
    transaction: bool = False
    goal: float = 0     # microseconds at most; 0 for none


@dataclass
class Cost:
    name: str
    quartiles: tuple    # microseconds of a call, over blocks
    goal: float


KNOWN, NEW, NEW_ES256 = 'authenticate, known', 'authenticate, new, HS256', 'authenticate, new, ES256'
CALLED, IN_SQL, IN_PLPGSQL = 'verify_jwt(), new, HS256', 'the same in SQL', 'the same in PL/pgSQL'
VERIFY, VERIFY_GOAL, TIMES_FASTER = 'verify HS256', 3.0, 14


def calls(operator):
    issuer = operator.value("SELECT current_setting('orla.issuer') || ':' || id FROM orla.instance")
    checks = f"$1, '{SECRET}', '{issuer}', '{operator.value('SHOW orla.audience')}'"
    verify, length = 'SELECT orla.verify_jwt($1) IS NOT NULL', 'SELECT octet_length($1)'
    authenticate = 'SELECT orla.authenticate($1)'
    sign, get = 'SELECT orla.sign_jwt($1)', "SELECT $1::jsonb -> 'sub'"
    return [
        Call(KNOWN, authenticate, length, 'HS256', 1, True, goal=10.0),
        Call(NEW, authenticate, length, 'HS256', transaction=True),
        Call(NEW_ES256, authenticate, length, 'ES256', transaction=True),
        Call(CALLED, verify, length, 'HS256'),
        Call(IN_SQL, f'SELECT bench.verify_in_sql({checks}) IS NOT NULL', length, 'SQL'),
        Call(IN_PLPGSQL, f'SELECT bench.verify_in_plpgsql({checks}) IS NOT NULL', length, 'SQL'),
        Call('verify_jwt(), known', verify, length, 'HS256', 1),
        Call('sign HS256', sign, get, 'claims'),
        Call('sign ES256', sign, get, 'claims'),
    ]


def signing_key(conn, call):
    """Both kinds of keys are in the ring; the newest signs."""
    if 'sign' in call.name:
        conn.run(f"SET orla.signing_algorithm = '{call.name[-5:]}'")
        conn.run('SET orla.key_activation_delay = 0')
        conn.run('SELECT orla.rotate_keyring()')


class Calls:
    def __init__(self, conn, operator):
        self.conn = conn
        self.first = 0
        conn.prepare('begin', 'BEGIN')
        conn.prepare('commit', 'COMMIT')
        self.sets = {kind: self.parameters(operator, f"SELECT jwt FROM bench.token WHERE alg = '{kind}' ORDER BY n")
                     for kind in ('HS256', 'ES256', 'SQL')}
        self.sets['claims'] = self.parameters(operator, "SELECT claims FROM bench.token WHERE alg = 'SQL' ORDER BY n")

    def parameters(self, operator, sql):
        return [self.conn.parameters(row) for row in operator.rows(sql)]

    def prepare(self, call):
        self.conn.prepare(call.name, call.sql)
        self.conn.prepare('without ' + call.name, call.without)

    def microseconds(self, call):
        sets = self.sets[call.kind][:call.different]
        first = self.first % len(sets)
        sets = sets[first:] + sets[:first]
        spent = []
        for name in ('without ' + call.name, call.name):
            steps = [(name, sets)]
            if call.transaction:
                steps = [('begin', [self.conn.parameters(())]), *steps, ('commit', [self.conn.parameters(())])]
            spent.append(self.conn.spent(steps, CALLS))
        self.first += CALLS
        return (spent[1] - spent[0]) / CALLS / 1000


def measure(connect, passes):
    operator = connect()
    samples = {}
    wanted = calls(operator)
    for turn in ('others', 'sign HS256', 'sign ES256'):
        some = [call for call in wanted if (call.name if 'sign' in call.name else 'others') == turn]
        signing_key(operator, some[0])
        measured = Calls(connect(), operator)
        for call in some:
            measured.prepare(call)
            measured.microseconds(call)
        for _ in range(passes):
            for call in some:
                samples.setdefault(call.name, []).append(measured.microseconds(call))
    say('  tokens')
    verify = [new - known for new, known in zip(samples[NEW], samples[KNOWN])]
    costs = [Cost(VERIFY, quartiles(verify), VERIFY_GOAL)]
    costs += [Cost(call.name, quartiles(samples[call.name]), call.goal) for call in wanted]
    times = [(name, statistics.median(slow / fast for slow, fast in zip(samples[name], samples[CALLED])), goal)
             for name, goal in ((IN_SQL, TIMES_FASTER), (IN_PLPGSQL, 0))]
    return costs, times
